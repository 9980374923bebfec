"""Committees that follow the living network: eviction, return, halts, restarts across an end."""

from dataclasses import dataclass, field, replace

import pytest
from msgspec.structs import replace as with_terms

from protocol import effects as fx
from protocol import events as ev
from protocol.facts import CommitteeTooLight, OperationApplied
from protocol.parameters import minimal
from protocol.simulator.draw import draw_scenario
from protocol.simulator.invariants import SAFETY
from protocol.simulator.scenario import Arrivals, Crash, Fault, Partition, Workload
from protocol.units import SECOND
from tests.support.epoch_trace import (
    END_NS,
    LOST,
    Run,
    lose_and_regain,
    losing,
    short_epochs,
    table,
)

pytestmark = pytest.mark.slow

NEVER_NS = 1_000 * SECOND


def broken(run: Run) -> list[object]:
    return [found for check in SAFETY for found in check(run.world, run.log)]


def lost(start_ns: int, *nodes: int, end_ns: int = NEVER_NS) -> tuple[Fault, ...]:
    return tuple(Crash(start_ns, end_ns, node) for node in nodes)


def index_of(run: Run) -> int:
    return max(node.core.state.index for node in run.world.live_honest if node.core is not None)


def test_sixteen_members_lose_five_and_have_them_back_without_a_penalty() -> None:
    run = Run(lose_and_regain()).until(END_NS)
    ends = run.trace.ends()
    left = [run.nodes_of(end.left) for end in ends]
    joined = [run.nodes_of(end.joined) for end in ends]
    assert left[:3] == [(), LOST, ()], "the first end after the loss evicts them"
    assert joined.count(LOST) == 1
    assert [one for one in (*left[2:], *joined) if one] == [LOST], "and nobody else ever moves"
    assert {end.members for end in ends} == {16, 11}
    assert run.members() == tuple(range(16))
    accounts = run.world.live_honest[0].core.state.accounts
    assert {accounts.of(account).staked for account in run.world.accounts} == {5_000_000_000}
    assert all(epoch in run.trace.certified for epoch in range(len(ends) - 1))
    assert broken(run) == []
    assert all(bite.count for bite in run.plan.bites())
    assert len(table(run)) == len(ends) + 2


def test_a_staircase_of_losses_never_halts() -> None:
    steps = (lost(3 * SECOND, 11, 12, 13, 14, 15), lost(12 * SECOND, 8, 9, 10))
    steps = (*steps, lost(22 * SECOND, 6, 7))
    run = Run(losing(tuple(fault for step in steps for fault in step))).until(33 * SECOND)
    assert [end.members for end in run.trace.ends() if end.left] == [11, 8, 6]
    assert run.members() == (0, 1, 2, 3, 4, 5)
    before = index_of(run)
    assert index_of(run.until(36 * SECOND)) > before
    assert broken(run) == []


def test_more_than_a_third_lost_at_once_halts_until_one_returns() -> None:
    gone = (10, 11, 12, 13, 14, 15)
    faults = (*lost(8 * SECOND, *gone[1:]), *lost(8 * SECOND, gone[0], end_ns=25 * SECOND))
    run = Run(losing(faults)).until(12 * SECOND)
    halted_at = index_of(run)
    assert index_of(run.until(25 * SECOND)) == halted_at, "the loss was below a third"
    run.until(45 * SECOND)
    assert index_of(run) > halted_at + 24
    assert [run.nodes_of(end.left) for end in run.trace.ends() if end.left] == [gone[1:]]
    assert run.members() == tuple(range(11))
    assert broken(run) == []


def test_the_ledger_halts_and_says_so_when_too_much_weight_has_left() -> None:
    scenario = losing(
        lost(3 * SECOND, 5, 6), members=7, parameters=short_epochs(committee_weight_min=8_000)
    )
    run = Run(scenario).until(20 * SECOND)
    cores = [node.core for node in run.world.live_honest]
    assert len(cores) == 5
    words = "the next committee would weigh 25000, and at least 28000 must"
    assert {core.halted for core in cores if core is not None} == {words}
    assert {core.state.committee.epoch for core in cores if core is not None} == {0}
    index = index_of(run)
    assert index_of(run.until(30 * SECOND)) == index


def test_what_halts_the_ledger_is_reported_as_a_fact() -> None:
    facts = []

    class Listener:
        def event(self, time, node, event):
            pass

        def effect(self, time, node, effect):
            if isinstance(effect, fx.Report) and isinstance(effect.fact, CommitteeTooLight):
                facts.append(effect.fact)

    terms = short_epochs(committee_weight_min=9_000)
    run = Run(losing(lost(2 * SECOND, 3), members=4, parameters=terms))
    run.world.nodes[0].surroundings.recorder.join([Listener()])
    run.until(15 * SECOND)
    assert set(facts) == {CommitteeTooLight(0, 3, 15_000, 18_000)}
    assert len(facts) == 3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_restarts_inside_and_across_an_end_change_nothing_that_is_final(seed: int) -> None:
    outages = [(4, 1.5, 0), (6, 1, 1), (5, 4, 2), (11, 1.5, 3), (12, 6, 0), (16, 0.5, 4)]
    faults = tuple(
        Crash(int(start * SECOND), int((start + length) * SECOND), node)
        for start, length, node in outages
    )
    run = Run(replace(losing(faults, members=7, seed=seed), sync_ns=5_000_000)).until(34 * SECOND)
    assert len(run.trace.closed) >= 5
    assert all(len(reports) == 7 for epoch, reports in run.trace.closed.items() if epoch < 4)
    assert broken(run) == []
    assert all(bite.count for bite in run.plan.bites())
    assert len({node.core.state.committee.epoch for node in run.world.live_honest}) == 1


def test_a_whole_network_that_stops_goes_on_in_its_epoch() -> None:
    faults = lost(13 * SECOND, *range(5), end_ns=16 * SECOND)
    run = Run(losing(faults, members=5)).until(13 * SECOND - 1)
    epoch, index = len(run.trace.closed), index_of(run)
    assert epoch >= 1
    run.until(30 * SECOND)
    assert index_of(run) > index + 20
    assert [end.left for end in run.trace.ends()] == [()] * len(run.trace.closed)
    assert broken(run) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_a_minority_cut_off_for_epochs_is_evicted_and_comes_back(seed: int) -> None:
    split = Partition(4 * SECOND, 18 * SECOND, ((0, 1, 2, 3, 4), (5, 6)))
    run = Run(losing((split,), members=7, seed=seed)).until(17 * SECOND)
    cut_off = run.world.nodes[5].core
    assert cut_off is not None
    assert cut_off.state.committee.epoch == 0, "the minority ended an epoch by itself"
    assert run.members() == (0, 1, 2, 3, 4)
    run.until(42 * SECOND)
    assert run.members() == tuple(range(7))
    assert broken(run) == []
    assert run.plan.bites()[0].count > 10


def test_a_newcomer_that_stakes_is_a_member_two_epochs_later_and_proposes() -> None:
    scenario = losing((), members=4, observers=2)
    scenario = replace(scenario, workload=Workload(0, 0, 4 * SECOND, observer_stakes=True))
    run = Run(scenario).until(32 * SECOND)
    joined = [run.nodes_of(end.joined) for end in run.trace.ends()]
    assert joined[:3] == [(), (4, 5), ()]
    for node in run.world.nodes[4:]:
        assert node.disk.signed > 20
    assert broken(run) == []


def test_a_quorum_that_needs_its_newcomers_goes_on_with_them() -> None:
    scenario = losing(lost(20 * SECOND, 0), members=4, observers=3)
    scenario = replace(scenario, workload=Workload(0, 0, 4 * SECOND, observer_stakes=True))
    run = Run(scenario).until(36 * SECOND)
    assert run.members() == (1, 2, 3, 4, 5, 6)
    assert broken(run) == []


@pytest.mark.parametrize("seed", range(1, 9))
def test_drawn_networks_with_short_epochs_keep_every_promise(seed: int) -> None:
    drawn = draw_scenario(seed)
    terms = with_terms(
        drawn.parameters, epoch_rounds=16 + seed, epoch_rounds_min=8, committee_weight_min=0
    )
    run = Run(replace(drawn, parameters=terms)).until(drawn.safety_ns + 30 * SECOND)
    assert len(run.log.epochs) >= 1, "no epoch ended"
    assert broken(run) == []


@dataclass
class Waits:
    """How long each operation took to be final where it was asked for."""

    seen: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    waits: list[tuple[int, int]] = field(default_factory=list)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events are not final."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if not isinstance(effect, fx.Report):
            return
        match effect.fact:
            case fx.OperationSeen(ticket, identifier) if ticket:
                self.seen[identifier] = (time, node)
            case OperationApplied(identifier=identifier):
                start, asked = self.seen.get(identifier, (0, -1))
                if asked == node:
                    self.waits.append((start, time))


def p99(waits: list[int]) -> int:
    return sorted(waits)[len(waits) * 99 // 100]


def test_an_operation_across_an_end_is_final_within_twice_the_usual_time() -> None:
    terms = with_terms(minimal(), epoch_rounds=40, epoch_rounds_min=8)
    load = Workload(240, 0, 24 * SECOND, Arrivals.POISSON, observer_stakes=False)
    run = Run(replace(losing((), members=7, parameters=terms), workload=load))
    waits = Waits()
    run.world.nodes[0].surroundings.recorder.join([waits])
    run.until(32 * SECOND)
    assert len(waits.waits) == 240
    ends = [min(time for time, _ in reports.values()) for reports in run.trace.closed.values()]
    across = [
        time - start for start, time in waits.waits if any(start <= end <= time for end in ends)
    ]
    usual = [
        time - start for start, time in waits.waits if not any(start <= end <= time for end in ends)
    ]
    assert len(across) > 10
    assert p99(across) <= 2 * p99(usual)
