"""Real cores that lose nodes or links: finality goes on exactly where the committee's quorum is."""

import pytest

from p2pnode.lab.experiments.small_networks import STAKE, SideSeen, crash, divide

FOUR = (STAKE,) * 4


def test_nothing_stops_a_network_that_loses_nothing() -> None:
    seen = crash(FOUR, (), 1)
    assert [(side.has_quorum, side.commits > 0) for side in seen.sides] == [(True, True)]
    assert (seen.bites, seen.missed, seen.has_resumed) == (0, 0, True)


@pytest.mark.parametrize(("down", "goes_on"), [((0,), True), ((1, 2), False)])
def test_crashes_halt_a_network_from_the_first_quorum_on(
    down: tuple[int, ...], goes_on: bool
) -> None:
    seen = crash(FOUR, down, 2)
    assert [(side.has_quorum, side.commits > 0) for side in seen.sides] == [(goes_on, goes_on)]
    assert (seen.bites, seen.missed, seen.has_resumed) == (len(down), 0, True)


def test_a_cut_stops_the_side_without_a_quorum_alone() -> None:
    seen = divide(FOUR, ((0, 1, 3), (2,)), 3)
    assert [side.has_quorum for side in seen.sides] == [True, False]
    assert [side.commits > 0 for side in seen.sides] == [True, False]
    assert seen.bites > 10
    assert (seen.missed, seen.has_resumed) == (0, True)


def test_a_side_disobeys_when_it_goes_on_without_a_quorum_or_stops_with_one() -> None:
    cases = [(has, commits) for has in (True, False) for commits in (0, 1)]
    obeying = [SideSeen(has, commits).obeys for has, commits in cases]
    assert obeying == [False, True, True, False]
