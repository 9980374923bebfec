"""RELIABILITY C1: a crash at any event takes nothing back and makes nobody sign twice."""

import pytest

from tests.simulation.crash_points import LAWFUL, Loss, crash, events, play

EACH = 8
"""Of the events of the history; `make soak` crashes at every one."""


@pytest.mark.slow
def test_a_crash_at_any_event_loses_nothing_acknowledged_and_signs_nothing_twice() -> None:
    found = play(range(1, events() + 1, EACH))
    assert [one for one in found if not one.is_well] == []
    assert sum(one.lost > 0 for one in found) > len(found) // len(LAWFUL), "little was under way"


@pytest.mark.slow
def test_sending_without_writing_shows_at_some_event() -> None:
    """Whoever forgot its own block has to sit out, at best."""
    found = [crash(event, Loss.WRITTEN) for event in range(1, events() + 1, EACH)]
    assert any(not one.is_well for one in found)
