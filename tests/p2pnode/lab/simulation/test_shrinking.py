from dataclasses import replace

import pytest

from p2pnode.lab.simulation.checks import is_sound
from p2pnode.lab.simulation.library import load_scenario
from p2pnode.lab.simulation.scenario_file import Described, document_of
from p2pnode.lab.simulation.shrinking import NothingBroken, shrink, smaller
from protocol.ledger import committee
from protocol.simulator.catalogue import calm
from protocol.simulator.draw import draw_scenario
from protocol.simulator.invariants import Violation
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.run import Outcome, Verdict, play
from protocol.simulator.scenario import Behaviour, Crash, LossBurst, Partition, Scenario, Workload
from protocol.units import SECOND, Weight

HALVES = Partition(2 * SECOND, 6 * SECOND, ((0, 1, 4), (2, 3)))


def crowded(seed: int = 1) -> Scenario:
    """Halves of four members, and much that has nothing to do with it."""
    faults = (Crash(2 * SECOND, 3 * SECOND, 4), HALVES, LossBurst(4 * SECOND, 5 * SECOND, 50_000))
    base = replace(calm(seed, members=4), observers=1, faults=faults)
    return replace(base, workload=Workload(2, 0, 2 * SECOND), safety_ns=7 * SECOND)


def half(total: Weight, *, churn_profile: bool) -> Weight:
    return Weight(total // 2)


@pytest.mark.slow
def test_a_broken_quorum_is_shrunk_to_the_partition_that_shows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert play(crowded()).verdict is Verdict.PASS
    monkeypatch.setattr(committee, "quorum_of", half)
    told: list[int] = []
    shrunk = shrink(crowded(), play, 60, lambda runs, _: told.append(runs))
    found = shrunk.outcome.scenario
    assert shrunk.outcome.verdict is Verdict.SAFETY
    assert shrunk.invariant in {violation.invariant for violation in shrunk.outcome.violations}
    (fault,) = found.faults
    assert isinstance(fault, Partition)
    assert fault.end_ns - fault.start_ns < 4 * SECOND
    assert (found.observers, found.workload.transfers, found.workload.jobs) == (0, 0, 0)
    assert len(found.stakes) <= 4
    assert told == list(range(2, shrunk.runs + 1))
    assert play(found).trace == shrunk.outcome.trace


def fake_outcome(scenario: Scenario, verdict: Verdict, *broken: str) -> Outcome:
    real = play(replace(calm(1, members=1), workload=Workload(0, 0, 0), safety_ns=2 * SECOND))
    violations = tuple(Violation(name, -1, "") for name in broken)
    return replace(real, scenario=scenario, verdict=verdict, violations=violations)


def test_only_what_breaks_the_same_promise_in_the_same_way_is_kept() -> None:
    def attempt(scenario: Scenario) -> Outcome:
        if len(scenario.faults) == 3:
            return fake_outcome(scenario, Verdict.SAFETY, "agreement")
        if len(scenario.faults) == 2:
            return fake_outcome(scenario, Verdict.SAFETY, "lottery")
        return fake_outcome(scenario, Verdict.LIVENESS, "agreement")

    shrunk = shrink(crowded(), attempt, 60)
    kept = shrunk.outcome.scenario.faults
    assert [type(fault) for fault in kept] == [Crash, Partition, LossBurst]
    assert max(fault.end_ns - fault.start_ns for fault in kept) < SECOND // 5
    assert shrunk.outcome.scenario.nodes == 2
    assert (shrunk.invariant, shrunk.is_least) == ("agreement", True)


def test_time_that_is_up_ends_the_search_with_the_best_so_far() -> None:
    runs = 0

    def attempt(scenario: Scenario) -> Outcome:
        nonlocal runs
        runs += 1
        return fake_outcome(scenario, Verdict.SAFETY, "agreement")

    shrunk = shrink(crowded(), attempt, 0)
    assert (runs, shrunk.runs, shrunk.is_least) == (1, 1, False)
    assert shrunk.outcome.scenario == crowded()


def test_a_run_that_breaks_nothing_is_refused() -> None:
    with pytest.raises(NothingBroken, match="the run is pass"):
        shrink(crowded(), lambda one: fake_outcome(one, Verdict.PASS), 60)


@pytest.mark.parametrize("seed", range(40))
def test_every_step_is_smaller_and_still_a_scenario(seed: int) -> None:
    scenario = draw_scenario(seed)
    for one in smaller(scenario):
        assert one != scenario
        assert len(document_of(Described(one), full=False)) > 0
        assert is_sound(one) == is_sound(scenario)
        assert {node for node, _ in one.behaviours} <= set(range(one.originals))


def test_dishonest_nodes_twins_and_noise_go_too() -> None:
    delay = Delay(Law.CONSTANT, 1, 1)
    bad = ((1, Behaviour.LYING), (5, Behaviour.SILENT))
    scenario = replace(
        calm(1, members=7),
        behaviours=bad,
        twins=(2,),
        conditions=Conditions(delay, 5, 5),
        skews_ns=(5,),
    )
    steps = list(smaller(scenario))
    assert replace(scenario, behaviours=bad[:1]) in steps
    assert replace(scenario, twins=()) in steps
    assert replace(scenario, conditions=Conditions(delay, 0, 5)) in steps
    assert replace(scenario, conditions=Conditions(delay, 5, 0)) in steps
    assert replace(scenario, skews_ns=()) in steps
    assert replace(scenario, sync_ns=0) in steps
    moved = [one for one in steps if len(one.stakes) == 6]
    assert {one.twins for one in moved} == {(1,), (2,)}


def test_the_positive_control_is_a_run_that_fails() -> None:
    described = load_scenario("split-brain")
    assert not is_sound(described.scenario)
