"""Hundreds of small drawn networks, and what each class of fault must not break."""

from functools import cache

import pytest

from protocol.simulator.draw import draw_scenario
from protocol.simulator.run import Outcome, Verdict, play
from protocol.simulator.scheme import CACHED

pytestmark = pytest.mark.slow

FIRST_SEED = 1
CHUNK = 50
CHUNKS = 10
REAL_SEEDS = (3, 12, 27)
"""Seeds that run with real signatures, too."""


@cache
def outcome(seed: int) -> Outcome:
    return play(draw_scenario(seed))


def seeds(chunk: int) -> range:
    first = FIRST_SEED + chunk * CHUNK
    return range(first, first + CHUNK)


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


def test_every_class_of_fault_bites_in_most_of_its_runs() -> None:
    planned: dict[str, int] = {}
    bitten: dict[str, int] = {}
    for chunk in range(CHUNKS):
        for seed in seeds(chunk):
            for bite in outcome(seed).bites:
                planned[bite.kind] = planned.get(bite.kind, 0) + 1
                bitten[bite.kind] = bitten.get(bite.kind, 0) + bool(bite.count)
    assert len(planned) == 13
    assert min(planned.values()) >= 30
    for kind, count in planned.items():
        assert bitten[kind] >= 0.6 * count, (kind, bitten[kind], count)


def test_runs_do_real_work() -> None:
    found = [outcome(seed) for seed in seeds(0)]
    assert sum(one.counts.jobs for one in found) >= CHUNK
    assert min(one.counts.commits for one in found) > 5
    assert sum(one.verdict is Verdict.PASS for one in found) > 0.7 * CHUNK


@pytest.mark.parametrize("seed", REAL_SEEDS)
def test_real_signatures_change_nothing_that_matters(seed: int) -> None:
    found = play(draw_scenario(seed), CACHED)
    assert found.verdict is outcome(seed).verdict, failure(seed, found)
