"""Merging observations: a majority decides, excess is cut, and who exceeds is believed less."""

import pytest

from protocol.economy.observations import WHOLE, merge
from protocol.errors import Misuse
from protocol.units import BASIS, BasisPoints, Credits

HALF, FULL, NONE = BasisPoints(BASIS // 2), BasisPoints(BASIS), BasisPoints(0)
EQUAL = (Credits(1),) * 3


def test_observers_that_agree_are_followed() -> None:
    row = (WHOLE // 2, WHOLE // 4, WHOLE // 4)
    merged = merge(EQUAL, [row] * 3, HALF, FULL)
    assert merged.supported == merged.subjects == row
    assert merged.observers == (333_333_332,) * 3, "each of the three shares is rounded down"


def test_what_a_minority_says_of_itself_is_cut_to_what_the_majority_supports() -> None:
    honest, liar = (WHOLE * 9 // 10, WHOLE // 10), (0, WHOLE)
    merged = merge(EQUAL, [honest, honest, liar], HALF, FULL)
    assert merged.supported == honest
    assert merged.subjects == (WHOLE * 18 // 21, WHOLE * 3 // 21)
    assert merged.observers[2] < merged.observers[0] // 3, "it is believed less, too"


def test_without_a_penalty_only_the_subject_loses_by_the_excess() -> None:
    honest, liar = (WHOLE * 9 // 10, WHOLE // 10), (0, WHOLE)
    strict, mild = (merge(EQUAL, [honest, honest, liar], HALF, one) for one in (FULL, NONE))
    assert strict.subjects == mild.subjects
    assert strict.observers[2] < mild.observers[2]


@pytest.mark.parametrize(
    ("stakes", "supported"), [((50, 50), 7), ((49, 51), 3), ((51, 49), 7), ((0, 1), 3)]
)
def test_stake_and_not_heads_make_the_majority(stakes: tuple[int, int], supported: int) -> None:
    merged = merge([Credits(one) for one in stakes], [(7,), (3,)], HALF, FULL)
    assert merged.supported == (supported,)


def test_nothing_said_gives_nothing_to_anybody() -> None:
    merged = merge(EQUAL, [(0, 0)] * 3, HALF, FULL)
    assert (merged.subjects, merged.observers) == ((0, 0), (0, 0, 0))


@pytest.mark.parametrize(
    ("stakes", "rows"), [((0, 0), [(1,), (1,)]), ((1,), [(1,), (1,)]), ((1, 1), [(1,), (1, 2)])]
)
def test_a_caller_that_mixes_up_rows_is_told(
    stakes: tuple[int, ...], rows: list[tuple[int, ...]]
) -> None:
    with pytest.raises(Misuse):
        merge([Credits(one) for one in stakes], rows, HALF, FULL)
