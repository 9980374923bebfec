"""What leaks, when, and that the node itself has nothing of it."""

import pytest

from p2pnode.lab.experiments.leak import (
    BEGIN_NS,
    PERIOD_NS,
    Leak,
    divide,
    kept_weight,
    leaking,
    lose,
)
from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.parameters import Parameters
from tests.p2pnode.fake_ports import lone_core
from tests.support.builders import account_id, make_genesis


def core_of(members: int) -> Core:
    return lone_core(make_genesis(members))


def test_weight_leaks_by_eighths_and_never_below_nothing() -> None:
    assert [kept_weight(5_000, periods) for periods in (0, 1, 2, 6)] == [5_000, 4_375, 3_828, 2_243]
    assert kept_weight(1, 100) == 0


def test_who_is_not_connected_weighs_less_with_each_period_without_a_commit() -> None:
    core = core_of(4)
    leak, committee = Leak(core), core.ledger.committee
    whole = committee.quorum
    leak.step(ev.PeerJoined(account_id(1)), 1)
    assert committee.quorum == whole
    quorums = []
    for period in range(1, 12):
        leak.step(ev.Tick(), period * PERIOD_NS)
        quorums.append(committee.quorum)
    assert quorums == sorted(set(quorums), reverse=True)
    two = sum(
        weight
        for member, weight in zip(committee.members, committee.weights, strict=True)
        if member.account in (core.account, account_id(1))
    )
    assert quorums[-1] <= two < whole, "the two that are connected are a quorum now"
    assert committee.total == core_of(4).ledger.committee.total


def test_a_commit_stops_the_leak_and_gives_nothing_back() -> None:
    core = core_of(4)
    leak, committee = Leak(core), core.ledger.committee
    leak.step(ev.Tick(), 0)
    leak.step(ev.Tick(), 3 * PERIOD_NS)
    leaked = committee.quorum
    commit = fx.PersistCommit(core.state.index, core.state.digest, core.state.digest)
    leak._step = lambda event, now: (commit,)  # type: ignore[method-assign]  # as if it had one
    leak.step(ev.Tick(), 4 * PERIOD_NS)
    leak.step(ev.Tick(), 4 * PERIOD_NS + 1)
    now_leaked = committee.quorum
    leak.step(ev.Tick(), 5 * PERIOD_NS - 1)
    assert now_leaked == committee.quorum <= leaked


def test_no_parameter_of_the_network_is_a_leak() -> None:
    assert not [name for name in Parameters.__struct_fields__ if "leak" in name]


@pytest.mark.parametrize("make_core", [leaking, Core])
def test_a_lost_third_halts_for_good_unless_its_weight_leaks(make_core: type[Core]) -> None:
    run = lose(7, 3, make_core, seed=1, until_s=26)
    assert run.bites == 3
    assert (run.again[0] is not None) == (make_core is leaking)
    assert run.contradicting == 0
    assert BEGIN_NS % PERIOD_NS == 0, "a period begins with the loss"


def test_with_a_leak_two_halves_become_two_ledgers() -> None:
    run = divide(4, 2, leaking, seed=1, until_s=45)
    assert run.bites > 0
    assert None not in run.again
    assert run.contradicting > 0
    plain = divide(4, 2, Core, seed=1, until_s=45)
    assert plain.bites > 0
    assert (plain.again, plain.contradicting, plain.halted) == ((None, None), 0, 0)
