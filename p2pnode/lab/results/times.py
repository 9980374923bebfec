"""Times as tables have them: milliseconds, cut to microseconds."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def to_ms(time_ns: int) -> float:
    """Turns nanoseconds into milliseconds."""
    return time_ns // 1_000 / 1_000


def known_ms(time_ns: int | None) -> float | None:
    """Turns nanoseconds into milliseconds; None stays None."""
    return None if time_ns is None else to_ms(time_ns)


def middle(ordered: Sequence[Item]) -> Item:
    """The first item by which half of an ordered row has passed."""
    return ordered[(len(ordered) - 1) // 2]
