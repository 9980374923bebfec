"""What a worker takes, and the reason for everything else."""

import pytest
from msgspec.structs import replace

from protocol.acceptance import price_of, refusal, terms_of
from protocol.events import ANY_AMOUNT, Terms, WorkerOffered
from protocol.messages import Limits
from tests.support.builders import account_id, digest, make_offer

OFFERED = WorkerOffered(
    kinds=frozenset({"onnx", "wasm"}),
    devices=frozenset({"cpu"}),
    price=1_000,
    allowed=None,
    parallel=1,
    sandbox_level=0,
)
ONNX = Terms("onnx", 7)
MIB = 2**20
ASKED = Limits(time_ms=60_001, memory_bytes=512 * MIB + 1, output_bytes=3 * MIB, fuel=0)
OFFER = make_offer(kind="onnx", limits=ASKED)
REQUESTER = account_id(0)


def refused(**changes: object) -> str:
    offered = replace(OFFERED, **changes)  # type: ignore[arg-type]  # names are those of fields
    return refusal(offered, OFFER, REQUESTER)


def test_what_nothing_speaks_against_is_taken() -> None:
    assert refused() == ""
    assert refused(terms=(ONNX,)) == ""
    exact = Terms("onnx", 7, 60_001, 512 * MIB + 1, 3 * MIB)
    assert refused(terms=(exact,)) == "", "the bounds are taken too"
    lists = {"allowed": frozenset({OFFER.artefact}), "requesters": frozenset({REQUESTER})}
    assert refused(**lists) == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kinds": frozenset({"wasm"})}, "this node does not run the kind 'onnx'"),
        (
            {"denied": frozenset({OFFER.artefact})},
            f"the artefact {OFFER.artefact.hex()} is on this node's deny-list",
        ),
        (
            {"allowed": frozenset({digest(b"another")})},
            f"the artefact {OFFER.artefact.hex()} is not on this node's allow-list: add it with "
            "--allow-artefact, or allow none by name",
        ),
        (
            {"denied_requesters": frozenset({REQUESTER}), "requesters": frozenset({REQUESTER})},
            f"the account {REQUESTER.hex()} is on this node's deny-list",
        ),
        (
            {"requesters": frozenset({account_id(1)})},
            f"the account {REQUESTER.hex()} is not on this node's allow-list of requesters",
        ),
        (
            {"terms": (replace(ONNX, time_ms_max=60_000),)},
            "the job may take 61 s, and this node takes at most 60 s for the kind 'onnx'",
        ),
        (
            {"terms": (replace(ONNX, memory_bytes_max=512 * MIB),)},
            "the job may take 513 MiB of memory, and this node takes at most 512 MiB of memory "
            "for the kind 'onnx'",
        ),
        (
            {"terms": (replace(ONNX, output_bytes_max=2 * MIB),)},
            "the job may take 3 MiB of output, and this node takes at most 2 MiB of output for "
            "the kind 'onnx'",
        ),
        ({"terms": (replace(ONNX, refusal="cuda:0 is hot"),)}, "cuda:0 is hot"),
        (
            {"terms": (replace(ONNX, refusal="cuda:0 is hot"),), "kinds": frozenset[str]()},
            "cuda:0 is hot",
        ),
    ],
)
def test_what_is_not_taken_has_a_reason(changes: dict[str, object], reason: str) -> None:
    assert refused(**changes) == reason


def test_terms_of_another_kind_do_not_matter() -> None:
    assert refused(terms=(Terms("wasm", 7, 1, 1, 1, "closed"),)) == ""


def test_a_kind_without_terms_has_the_price_of_all_and_no_bounds() -> None:
    offered = replace(OFFERED, terms=(ONNX,))
    assert (price_of(offered, "onnx"), price_of(offered, "wasm")) == (7, 1_000)
    assert terms_of(offered, "wasm") == Terms("wasm", 1_000, ANY_AMOUNT, ANY_AMOUNT, ANY_AMOUNT)
