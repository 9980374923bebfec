"""Each mistake planted in the protocol is shown by its attack, which shows nothing without it."""

from collections import Counter

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.slips import SLIPS, shows

STORED = {"no_deduplication": 1, "early_beacon": 1, "exposure_kept": 1}
"""Mistakes that drawn networks show, and the seed of one that does."""


@pytest.mark.parametrize("name", SLIPS)
def test_an_attack_shows_its_mistake_and_nothing_else(name: str) -> None:
    slip = SLIPS[name]
    assert slip.attack() == ""
    with slip.plant():
        assert slip.attack() != ""
    assert slip.attack() == "", "the mistake stayed"


def test_there_are_enough_mistakes_and_each_is_another() -> None:
    mistakes = [one.mistake for one in (*SLIPS.values(), *MUTANTS.values())]
    assert len(mistakes) >= 20
    assert max(Counter(mistakes).values()) == 1
    assert not set(SLIPS) & set(MUTANTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", STORED)
def test_the_checkers_see_a_mistake_that_nobody_attacks(name: str) -> None:
    assert shows(SLIPS[name], STORED[name])
