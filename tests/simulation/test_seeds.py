"""Hundreds of small drawn networks, and what each class of fault must not break."""

from functools import cache

import pytest

from protocol.simulator.draw import draw_scenario
from protocol.simulator.run import Outcome, Verdict, play
from protocol.simulator.scenario import Scenario
from protocol.simulator.scheme import CACHED

pytestmark = pytest.mark.slow

CHUNKS = 10
COUNTING = 50
"""Seeds of each chunk that must count; 500 of all together."""
SEEDS_MAX = 100
"""Seeds of each chunk to draw from."""
COUNTING_SHARE = 0.9
"""Of the seeds that were run; in the others a fault never bit."""
REAL_SEEDS = (3, 12, 27)
"""Seeds that run with real signatures, too."""


@cache
def outcome(seed: int) -> Outcome:
    return play(draw_scenario(seed))


def plans_a_fault(scenario: Scenario) -> bool:
    conditions = scenario.conditions
    steady = (conditions.loss_ppm, conditions.duplicate_ppm, conditions.reorder_ppm)
    return bool(scenario.faults or scenario.behaviours or scenario.twins or any(steady))


def counts(found: Outcome) -> bool:
    """Whether a run says something: it kept every promise although something did go wrong."""
    return found.verdict is Verdict.PASS and any(bite.count for bite in found.bites)


@cache
def seeds(chunk: int) -> tuple[int, ...]:
    """Runs a chunk's seeds until enough of them count; those without any fault are left out."""
    first = 1 + chunk * SEEDS_MAX
    played: list[int] = []
    left = COUNTING
    for seed in range(first, first + SEEDS_MAX):
        if left and plans_a_fault(draw_scenario(seed)):
            played.append(seed)
            left -= counts(outcome(seed))
    return tuple(played)


def failure(seed: int, found: Outcome) -> str:
    broken = "; ".join(f"{one.invariant}@{one.node} {one.detail}" for one in found.violations[:3])
    return f"python -m protocol.simulator --seed {seed}: {found.verdict.name} {broken}"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_drawn_networks_keep_every_promise(chunk: int) -> None:
    failures = [
        failure(seed, outcome(seed))
        for seed in seeds(chunk)
        if outcome(seed).verdict not in (Verdict.PASS, Verdict.UNKNOWN)
    ]
    assert not failures, "\n".join(failures)
    assert sum(counts(outcome(seed)) for seed in seeds(chunk)) == COUNTING


def test_five_hundred_seeds_count_because_a_fault_bit() -> None:
    played = [outcome(seed) for chunk in range(CHUNKS) for seed in seeds(chunk)]
    counting = sum(map(counts, played))
    assert counting >= 500
    assert counting >= COUNTING_SHARE * len(played), (counting, len(played))


def test_every_class_of_fault_bites_in_most_of_its_runs() -> None:
    planned: dict[str, int] = {}
    bitten: dict[str, int] = {}
    for chunk in range(CHUNKS):
        for seed in seeds(chunk):
            for bite in outcome(seed).bites:
                planned[bite.kind] = planned.get(bite.kind, 0) + 1
                bitten[bite.kind] = bitten.get(bite.kind, 0) + bool(bite.count)
    assert len(planned) == 25
    assert min(planned.values()) >= 8
    for kind, count in planned.items():
        assert bitten[kind] >= 0.6 * count, (kind, bitten[kind], count)


def test_runs_do_real_work() -> None:
    found = [outcome(seed) for seed in seeds(0)]
    assert sum(one.counts.jobs for one in found) >= COUNTING
    assert min(one.counts.commits for one in found) > 5


@pytest.mark.parametrize("seed", REAL_SEEDS)
def test_real_signatures_change_nothing_that_matters(seed: int) -> None:
    found = play(draw_scenario(seed), CACHED)
    assert found.verdict is outcome(seed).verdict, failure(seed, found)
