"""Paces and recoveries in message delays."""

import pytest

from p2pnode.lab.experiments.halts import divide_committee, lose_members

pytestmark = pytest.mark.slow


def test_a_side_with_a_quorum_goes_on_slower_and_the_other_one_not_at_all() -> None:
    seen = divide_committee(4, 1, 60, 1)
    assert seen.bites > 10
    assert seen.before > seen.during[0] > 0 == seen.during[1]
    assert seen.first is not None
    assert seen.everywhere is not None
    assert 0 <= seen.first <= seen.everywhere


def test_a_committee_without_a_quorum_halts_until_enough_are_back() -> None:
    resumed = lose_members(4, 2, 1, 60, 1)
    assert (resumed.bites, resumed.during) == (2, (0,))
    assert resumed.everywhere is not None
    assert len([time for time in resumed.times if time > 60]) > 3


def test_a_cut_that_heals_before_connections_break_is_over_after_one_summary() -> None:
    seen = divide_committee(4, 2, 50, 1)
    assert seen.bites > 0
    assert seen.during == (0, 0)
    assert seen.everywhere is not None
    assert seen.everywhere < 20, "a summary takes ten delays; a long cut is over after six"
