import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.facts import OperationApplied
from protocol.messages import Transfer
from protocol.simulator.latency import DELAY_NS, OperationTimes, measure_latency
from protocol.simulator.network import Delay, Law
from protocol.units import AccountId, Credits, Digest

CONSTANT = Delay(Law.CONSTANT, DELAY_NS, DELAY_NS)
UNIFORM = Delay(Law.UNIFORM, DELAY_NS // 2, DELAY_NS * 3 // 2)


@pytest.mark.parametrize("members", [4, pytest.param(7, marks=pytest.mark.slow)])
def test_a_leader_is_final_after_exactly_three_delays(members: int) -> None:
    leaders = measure_latency(members, CONSTANT, seconds=6).leaders
    assert leaders.count > 50
    assert (leaders.mean, leaders.longest) == (3_000, 3_000)


@pytest.mark.slow
def test_blocks_and_operations_are_final_in_few_delays() -> None:
    latency = measure_latency(7, UNIFORM, seconds=6)
    assert latency.blocks.count > 500
    assert latency.blocks.mean <= 4_900
    assert latency.operations.count > 50
    assert latency.operations.mean <= 6_000
    assert latency.blocks.mean <= latency.blocks.p95 <= latency.blocks.longest


@pytest.mark.slow
def test_sixteen_members_reach_the_published_figures() -> None:
    latency = measure_latency(16, UNIFORM, seconds=8)
    assert latency.blocks.mean <= 5_100
    assert latency.operations.mean <= 6_000


def test_a_wait_begins_at_the_question_or_at_the_signature() -> None:
    times, one, other = OperationTimes(), Digest(b"a" * 32), Digest(b"b" * 32)
    account = AccountId(b"c" * 32)
    times.event(10, 0, ev.OperationRequested(7, Transfer(account, Credits(5))))
    times.effect(12, 0, fx.Report(fx.OperationSeen(7, one)))
    times.effect(13, 1, fx.Report(fx.OperationSeen(7, other)))
    for node, time in ((1, 20), (0, 30), (0, 99)):
        times.effect(time, node, fx.Report(OperationApplied(one, account)))
    assert sorted(times.from_asking(10)) == [10, 20]
    assert times.from_asking(11) == []
    assert times.at_own_node() == [18]
