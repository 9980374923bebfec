import pytest

from p2pnode.execution.policy import Policy, read_allow_list

DIGEST = bytes(range(32))


def test_by_default_nothing_may_run() -> None:
    refusal = f"artefact {DIGEST.hex()} is not on the operator's allow-list"
    assert Policy().decide(DIGEST, "wasm") == refusal


def test_an_artefact_on_the_allow_list_may_run() -> None:
    assert Policy(allowed=frozenset({DIGEST})).decide(DIGEST, "onnx") is None


def test_anything_may_run_if_the_operator_says_so() -> None:
    assert Policy(unsafe_run_anything=True).decide(DIGEST, "wasm") is None


def test_an_unknown_kind_may_not_run_even_then() -> None:
    refusal = Policy(unsafe_run_anything=True).decide(DIGEST, "oci")
    assert refusal == "there is no worker for artefacts of kind 'oci'"


def test_a_kind_that_the_operator_left_out_may_not_run() -> None:
    policy = Policy(allowed=frozenset({DIGEST}), kinds=frozenset({"wasm"}))
    assert policy.decide(DIGEST, "onnx") == "the operator does not run artefacts of kind 'onnx'"


def test_the_allow_list_is_read_from_hexadecimal() -> None:
    other = bytes(32)
    assert read_allow_list([DIGEST.hex(), f" blake2b:{other.hex()}\n"]) == {DIGEST, other}


@pytest.mark.parametrize("line", ["", "xyz", "00" * 31, "sha256:" + "00" * 32])
def test_a_line_that_is_no_digest_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="is not a digest of 32 bytes"):
        read_allow_list([line])
