"""Hundreds of small drawn networks in which one thing goes wrong, so that no other hides it.

With those of `test_seeds.py` they are more than five hundred runs in which a fault bit.
"""

import pytest

from protocol.simulator.draw import draw_scenario
from protocol.simulator.draw_features import DEAL, FEATURES, draw_features
from protocol.simulator.run import Verdict, play

pytestmark = pytest.mark.slow

DEALS = range(5, 17)
"""Those after the ones that `test_seeds.py` plays as a whole."""
SPARED = 2
"""Runs of a deal whose fault may find nothing to hit: in a fifth of all runs with one dishonest
worker it is drawn for no job that it could spoil."""


@pytest.mark.parametrize("deal", DEALS)
def test_one_fault_breaks_no_promise_and_bites(deal: int) -> None:
    seeds = range(1 + deal * DEAL, 1 + (deal + 1) * DEAL)
    lone = [seed for seed in seeds if len(draw_features(seed)) == 1]
    assert len(lone) == len(FEATURES)
    found = {seed: play(draw_scenario(seed)) for seed in lone}
    failed = {
        seed: one.violations
        for seed, one in found.items()
        if one.verdict not in (Verdict.PASS, Verdict.UNKNOWN)
    }
    assert not failed, "python -m protocol.simulator --seed N repeats one"
    counting = sum(
        one.verdict is Verdict.PASS and any(bite.count for bite in one.bites)
        for one in found.values()
    )
    assert counting >= len(FEATURES) - SPARED
