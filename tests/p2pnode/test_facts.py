import dataclasses
import json
from typing import get_args

import pytest
import trio

from p2pnode.facts import (
    FACTS_EACH_MAX,
    FOLLOWER_QUEUE,
    FOLLOWERS_MAX,
    REMEMBERED_MAX,
    FactLog,
    plain,
    record_of,
)
from p2pnode.interfaces import Metered
from protocol import effects as fx
from protocol.errors import Reason
from protocol.facts import JobAdvanced
from protocol.job.record import Phase
from protocol.units import Digest, JobId, Round
from tests.support.builders import HandLedger, account_id, make_offer

JOB = JobId(Digest(b"j" * 32))
PROPOSED = fx.BlockProposed(0, Round(3), Digest(b"d" * 32), 2)
REFUSED = fx.PeerRefused(account_id(1), Reason.BAD_SIGNATURE, "why")


def test_a_fact_becomes_a_flat_mapping() -> None:
    assert record_of(REFUSED) == {
        "fact": "peer_refused",
        "peer": account_id(1).hex(),
        "reason": "bad_signature",
        "detail": "why",
    }


def test_the_newest_fact_of_a_kind_is_found() -> None:
    facts = FactLog()
    for fact in (fx.NotBidding(JOB, "dear"), fx.NotBidding(JOB, "hot"), REFUSED):
        facts.add(fact, 0)
    assert facts.latest(JOB.hex(), fx.NotBidding) == fx.NotBidding(JOB, "hot")
    assert facts.latest(JOB.hex(), fx.PeerRefused) is None
    assert facts.latest("00", fx.NotBidding) is None


def test_a_fact_of_the_node_itself_names_its_job_in_text() -> None:
    facts = FactLog()
    facts.add(Metered(JOB.hex(), "cpu", 1, 2, None, None), 0)
    assert [one["fact"] for one in facts.about(JOB.hex())] == ["metered"]


def test_nested_values_become_plain() -> None:
    nested = {Phase.BIDDING: (b"\1", [Phase.SETTLED, None]), "n": 1}
    assert plain(nested) == {"bidding": ["01", ["settled", None]], "n": 1}


def test_every_fact_of_a_job_can_be_sent_as_json() -> None:
    ledger = HandLedger(signed=False)
    job = ledger.start(make_offer()).identifier
    ledger.run(job, {ledger.running(job)[0]: b"wrong"})
    assert JobAdvanced in {type(fact) for fact in ledger.facts}
    for fact in ledger.facts:
        json.dumps(record_of(fact))


@pytest.mark.parametrize("kind", get_args(fx.Fact), ids=lambda kind: kind.__name__)
def test_every_fact_has_a_name_and_plain_fields(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    values = {str(field.name): b"\1" for field in dataclasses.fields(kind)}
    record = record_of(kind(**values))
    assert json.loads(json.dumps(record)) == record
    assert record["fact"] not in values


def test_facts_are_counted_and_remembered_under_all_that_they_name() -> None:
    log = FactLog()
    applied = fx.NotBidding(JOB, "too dear")
    log.add(applied, 5)
    log.add(REFUSED, 6)
    log.add(REFUSED, 7)
    assert log.counts == {"not_bidding": 1, "peer_refused": 2}
    assert [one["at_ms"] for one in log.about(account_id(1).hex())] == [6, 7]
    assert log.about(JOB.hex()) == (record_of(applied) | {"at_ms": 5},)
    assert log.about("nobody") == ()
    assert log.remembered() == (JOB.hex(), account_id(1).hex())


def test_the_memory_for_facts_is_bounded() -> None:
    log = FactLog()
    for number in range(REMEMBERED_MAX + 5):
        log.add(fx.NotBidding(JobId(Digest(number.to_bytes(32, "big"))), ""), number)
    for _ in range(2 * FACTS_EACH_MAX):
        log.add(REFUSED, 0)
    assert len(log.remembered()) == REMEMBERED_MAX
    assert len(log.about(account_id(1).hex())) == FACTS_EACH_MAX
    assert log.about((0).to_bytes(32, "big").hex()) == (), "the oldest is forgotten first"


async def test_followers_see_facts_from_now_on_in_order() -> None:
    log = FactLog()
    log.add(PROPOSED, 1)
    async with log.follow() as following:
        for at_ms in (2, 3):
            log.add(PROPOSED, at_ms)
        assert [(await anext(following))["at_ms"] for _ in range(2)] == [2, 3]
    log.add(PROPOSED, 4)


async def test_a_slow_follower_is_told_how_much_it_missed() -> None:
    log = FactLog()
    async with log.follow() as following:
        for at_ms in range(FOLLOWER_QUEUE + 3):
            log.add(PROPOSED, at_ms)
        for _ in range(FOLLOWER_QUEUE):
            assert "missed" not in await anext(following)
        log.add(PROPOSED, 9_999)
        assert await anext(following) == record_of(PROPOSED) | {"at_ms": 9_999, "missed": 3}
        log.add(PROPOSED, 10_000)
        assert "missed" not in await anext(following)


async def test_followers_are_bounded_and_make_room_when_they_leave() -> None:
    log = FactLog()
    scopes = [log.follow() for _ in range(FOLLOWERS_MAX)]
    for scope in scopes:
        await scope.__aenter__()
    with pytest.raises(trio.WouldBlock):
        await log.follow().__aenter__()
    for scope in scopes:
        await scope.__aexit__(None, None, None)
    async with log.follow():
        pass
