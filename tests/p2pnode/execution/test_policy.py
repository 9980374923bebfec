from p2pnode.execution.policy import LEVEL_NEEDED, Policy

DIGEST = bytes(range(32))
OTHER = bytes(32)
HELD = {"wasm": LEVEL_NEEDED, "onnx": LEVEL_NEEDED - 1}


def test_an_artefact_of_a_stranger_runs_where_the_sandbox_suffices() -> None:
    assert Policy(levels=HELD).decide(DIGEST, "wasm") is None


def test_a_kind_below_its_sandbox_level_is_refused_with_what_to_do() -> None:
    refusal = (
        "kind 'onnx' would run at sandbox level 1 here, and artefacts of strangers need 2: "
        "see docs/SANDBOX.md, or name what may run with --allow-artefact"
    )
    assert Policy(levels=HELD).decide(DIGEST, "onnx") == refusal
    assert Policy().decide(DIGEST, "wasm") is not None, "what was not probed is not trusted"


def test_an_artefact_on_the_allow_list_runs_at_any_level_and_others_at_none() -> None:
    policy = Policy(allowed=frozenset({DIGEST}), levels=HELD)
    assert policy.decide(DIGEST, "onnx") is None
    refusal = f"artefact {OTHER.hex()} is not on the operator's allow-list"
    assert policy.decide(OTHER, "wasm") == refusal


def test_an_artefact_on_the_deny_list_never_runs() -> None:
    refusal = f"artefact {DIGEST.hex()} is on the operator's deny-list"
    both = frozenset({DIGEST})
    assert Policy(denied=both, levels=HELD).decide(DIGEST, "wasm") == refusal
    assert Policy(denied=both, levels=HELD).decide(OTHER, "wasm") is None
    assert Policy(both, both, unsafe_run_anything=True).decide(DIGEST, "wasm") == refusal


def test_anything_may_run_below_the_level_if_the_operator_says_so() -> None:
    assert Policy(unsafe_run_anything=True).decide(DIGEST, "wasm") is None


def test_an_unknown_kind_may_not_run_even_then() -> None:
    refusal = Policy(unsafe_run_anything=True).decide(DIGEST, "oci")
    assert refusal == "there is no worker for artefacts of kind 'oci'"


def test_a_kind_that_the_operator_left_out_may_not_run() -> None:
    policy = Policy(allowed=frozenset({DIGEST}), kinds=frozenset({"wasm"}))
    assert policy.decide(DIGEST, "onnx") == "the operator does not run artefacts of kind 'onnx'"
