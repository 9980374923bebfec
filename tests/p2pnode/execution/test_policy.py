from p2pnode.execution.policy import LEVEL_NEEDED, Policy

HELD = {"wasm": LEVEL_NEEDED, "onnx": LEVEL_NEEDED - 1}


def test_an_artefact_of_a_stranger_runs_where_the_sandbox_suffices() -> None:
    assert Policy(levels=HELD).kind_problem("wasm") == ""


def test_a_kind_below_its_sandbox_level_is_refused_with_what_to_do() -> None:
    refusal = (
        "kind 'onnx' would run at sandbox level 1 here, and artefacts of strangers need 2: "
        "see docs/SANDBOX.md, or name what may run with --allow-artefact"
    )
    assert Policy(levels=HELD).kind_problem("onnx") == refusal
    assert Policy().kind_problem("wasm") != "", "what was not probed is not trusted"


def test_where_artefacts_are_named_they_run_at_any_level() -> None:
    assert Policy(names_artefacts=True, levels=HELD).kind_problem("onnx") == ""


def test_anything_may_run_below_the_level_if_the_operator_says_so() -> None:
    assert Policy(unsafe_run_anything=True).kind_problem("wasm") == ""


def test_an_unknown_kind_may_not_run_even_then() -> None:
    refusal = Policy(unsafe_run_anything=True).kind_problem("oci")
    assert refusal == "there is no worker for artefacts of kind 'oci'"


def test_a_kind_that_the_operator_left_out_may_not_run() -> None:
    policy = Policy(names_artefacts=True, kinds=frozenset({"wasm"}))
    assert policy.kind_problem("onnx") == "the operator does not run artefacts of kind 'onnx'"
