"""Every scenario of the catalogue, each about one fault that must bite."""

import pytest

from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.run import Verdict, play

pytestmark = pytest.mark.slow

NAMED = sorted(set(SCENARIOS) - {"swarm", "large", "split-brain"})
"""The last of these has to break a promise: the checkers are tested with it; the first two draw."""


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", NAMED)
def test_a_named_fault_bites_and_breaks_nothing(name: str, seed: int) -> None:
    outcome = play(SCENARIOS[name](seed))
    assert outcome.verdict is Verdict.PASS, (outcome.violations[:3], outcome.bites)
