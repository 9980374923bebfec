"""Hundreds of small drawn networks, and what each class of fault must not break."""

from collections import Counter
from functools import cache

import pytest

from protocol.simulator.draw import draw_scenario
from protocol.simulator.draw_features import CALM, DEAL, FEATURES, MIXED_IN
from protocol.simulator.run import Outcome, Verdict, play
from protocol.simulator.scheme import CACHED

pytestmark = pytest.mark.slow

DEALS = 2
"""Of fifty seeds each; `make simulate` plays ten, and large networks besides."""
COUNTING_SHARE = 0.7
"""Of the seeds with a fault; in the others some class never bit."""
BITING_SHARE = 0.6
"""Of the runs that a class fired in."""
REAL_SEEDS = (28, 41, 45)
"""Seeds that run with real signatures, too: an equivocator, a withholder and a crash."""


@cache
def outcome(seed: int) -> Outcome:
    return play(draw_scenario(seed))


def counts(found: Outcome) -> bool:
    """Whether a run says something: it kept every promise although something did go wrong."""
    return found.verdict is Verdict.PASS and any(bite.count for bite in found.bites)


def seeds(deal: int) -> range:
    """A deal's seeds, among which every class fires equally often."""
    return range(1 + deal * DEAL, 1 + (deal + 1) * DEAL)


def failure(seed: int, found: Outcome) -> str:
    broken = "; ".join(f"{one.invariant}@{one.node} {one.detail}" for one in found.violations[:3])
    return f"python -m protocol.simulator --seed {seed}: {found.verdict.name} {broken}"


@pytest.mark.parametrize("deal", range(DEALS))
def test_drawn_networks_keep_every_promise(deal: int) -> None:
    failures = [
        failure(seed, outcome(seed))
        for seed in seeds(deal)
        if outcome(seed).verdict not in (Verdict.PASS, Verdict.UNKNOWN)
    ]
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("deal", range(DEALS))
def test_most_seeds_count_because_every_class_bit(deal: int) -> None:
    counting = sum(counts(outcome(seed)) for seed in seeds(deal))
    assert counting >= COUNTING_SHARE * (DEAL - CALM), counting


def test_every_class_of_fault_fires_alone_and_bites_in_most_of_its_runs() -> None:
    fired: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    bitten: Counter[str] = Counter()
    for seed in (seed for deal in range(DEALS) for seed in seeds(deal)):
        kinds = {bite.kind for bite in outcome(seed).bites}
        fired.update(kinds)
        alone.update(kinds if len(kinds) == 1 else ())
        bitten.update({bite.kind for bite in outcome(seed).bites if bite.count})
    assert fired == dict.fromkeys(fired, DEALS * (1 + MIXED_IN))
    assert alone == dict.fromkeys(fired, DEALS)
    assert len(fired) == len(FEATURES)
    assert {kind: bitten[kind] for kind in fired if bitten[kind] < BITING_SHARE * fired[kind]} == {}


def test_runs_do_real_work() -> None:
    found = [outcome(seed) for seed in seeds(0)]
    assert sum(one.counts.jobs for one in found) >= DEAL
    assert min(one.counts.commits for one in found) > 5


@pytest.mark.parametrize("seed", REAL_SEEDS)
def test_real_signatures_change_nothing_that_matters(seed: int) -> None:
    found = play(draw_scenario(seed), CACHED)
    assert found.verdict is outcome(seed).verdict, failure(seed, found)
