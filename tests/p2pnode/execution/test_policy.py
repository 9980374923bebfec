from p2pnode.execution.policy import Policy

DIGEST = bytes(range(32))


def test_by_default_nothing_may_run() -> None:
    refusal = f"artefact {DIGEST.hex()} is not on the operator's allow-list"
    assert Policy().decide(DIGEST, "wasm") == refusal


def test_an_artefact_on_the_allow_list_may_run() -> None:
    assert Policy(allowed=frozenset({DIGEST})).decide(DIGEST, "onnx") is None


def test_anything_may_run_if_the_operator_says_so() -> None:
    assert Policy(unsafe_run_anything=True).decide(DIGEST, "wasm") is None


def test_an_unknown_kind_may_not_run_even_then() -> None:
    refusal = Policy(unsafe_run_anything=True).decide(DIGEST, "python")
    assert refusal == "there is no worker for artefacts of kind 'python'"


def test_a_kind_that_the_operator_left_out_may_not_run() -> None:
    policy = Policy(allowed=frozenset({DIGEST}), kinds=frozenset({"wasm"}))
    assert policy.decide(DIGEST, "onnx") == "the operator does not run artefacts of kind 'onnx'"
