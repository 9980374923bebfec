"""A positive control: with too much Byzantine weight the checkers must see agreement break."""

import pytest

from p2pnode.lab.experiments.split_brain import BREAKING, attack, breaks_agreement
from protocol.simulator.run import Verdict
from tests.simulation.split_brain import SAFE

pytestmark = pytest.mark.slow

STORED = {4: 1, 7: 1, 10: 1}
"""A seed for each size that breaks agreement."""


@pytest.mark.parametrize("members", BREAKING)
def test_a_quorum_on_either_side_breaks_agreement(members: int) -> None:
    outcome = attack(STORED[members], members, BREAKING[members])
    assert breaks_agreement(outcome), outcome.checks
    assert outcome.verdict is Verdict.SAFETY


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("members", SAFE)
def test_below_a_third_nothing_breaks_though_the_cut_bites(members: int, seed: int) -> None:
    outcome = attack(seed, members, SAFE[members])
    assert not breaks_agreement(outcome), outcome.checks
    assert outcome.bites[0].count > 10
    assert outcome.verdict is Verdict.PASS, outcome.violations[:3]
