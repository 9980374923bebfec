"""Records of real nodes and the facts that they were made of."""

import json
from dataclasses import fields

import pytest

from p2pnode.facts import record_of
from p2pnode.lab.results.json_facts import KINDS, BadRecord, fact_of
from protocol import effects as fx
from protocol.errors import Reason
from protocol.facts import EpochClosed, JobAdvanced, OperationFailed, Slashed
from protocol.job.record import Fault, Phase
from protocol.units import AccountId, CommitIndex, Credits, Digest, Epoch, JobId, Round, Weight

KEY = AccountId(bytes(range(32)))
DIGEST = Digest(bytes(32))


@pytest.mark.parametrize(
    "fact",
    [
        fx.BlockProposed(0, Round(3), DIGEST, 2),
        fx.CommitApplied(CommitIndex(1), DIGEST, DIGEST, Round(1), 4, 1_500),
        fx.OperationRefused(7, Reason.STALE_NONCE, "why"),
        OperationFailed(DIGEST, KEY, Reason.NONCE_GAP, ""),
        JobAdvanced(JobId(DIGEST), Phase.REVEALING),
        EpochClosed(Epoch(3), CommitIndex(9), Round(24), 4, Weight(7), (KEY, KEY), ()),
        Slashed(KEY, Credits(5), Fault.EQUIVOCATION, None),
        Slashed(KEY, Credits(5), Fault.WRONG_RESULT, JobId(DIGEST)),
    ],
)
def test_a_fact_survives_the_way_through_json(fact: fx.Fact) -> None:
    line = json.dumps(record_of(fact) | {"at_ms": 12})
    assert fact_of(json.loads(line)) == fact


def test_every_fact_has_a_name_and_readers() -> None:
    for name, kind in KINDS.items():
        record: dict[str, object] = {"fact": name}
        with pytest.raises(BadRecord, match=f"{name}.{fields(kind)[0].name}"):
            fact_of(record)


def test_an_unknown_fact_is_passed_over() -> None:
    assert fact_of({"fact": "moon_landed"}) is None
    assert fact_of({}) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("round", "3"), ("round", True), ("digest", "zz"), ("digest", 7), ("operations", None)],
)
def test_a_field_of_another_kind_is_named(field: str, value: object) -> None:
    record = record_of(fx.BlockProposed(0, Round(3), DIGEST, 2)) | {field: value}
    with pytest.raises(BadRecord, match=f"block_proposed.{field}: "):
        fact_of(record)
