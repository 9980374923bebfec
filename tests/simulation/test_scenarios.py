"""Every scenario of the catalogue, each about one fault that must bite."""

import pytest

from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.run import Verdict, play

pytestmark = pytest.mark.slow

NAMED = sorted(set(SCENARIOS) - {"swarm", "large", "split-brain"})
"""The last of these has to break a promise: the checkers are tested with it; the first two draw."""

SEEDS = (1, 2)
DRAWN_SEEDS = {"erring": (1, 3)}
"""Other seeds where one of those draws a bad worker for no job, so that it has nothing to do."""


@pytest.mark.parametrize(
    ("name", "seed"), [(name, seed) for name in NAMED for seed in DRAWN_SEEDS.get(name, SEEDS)]
)
def test_a_named_fault_bites_and_breaks_nothing(name: str, seed: int) -> None:
    outcome = play(SCENARIOS[name](seed))
    assert outcome.verdict is Verdict.PASS, (outcome.violations[:3], outcome.bites)
