"""Plots of a comparison: side B against side A pair by pair, and their difference in each cell."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from p2pnode.lab.reports.cells import Spot
from p2pnode.lab.reports.style import BLACK, BLUE, GREY
from p2pnode.lab.results import TIMES, Middle
from p2pnode.lab.results.survival import Quantile
from p2pnode.lab.simulation.comparing import Both, Difference, Key, apart_of, difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from p2pnode.lab.simulation.rows import Row

DOTS_MAX: Final = 2_000
"""More points than this are drawn as one picture, since a page of so many shapes opens slowly."""


def differ(pairs: Mapping[Key, Both]) -> bool:
    """Say whether any pair differs at all."""
    return any(map(apart_of, pairs.values()))


def ended(pairs: Mapping[Key, Both]) -> list[tuple[float, float]]:
    """Take the pairs that have a number on both sides."""
    return [
        (float(a), float(b))
        for a, b in pairs.values()
        if not isinstance(a, Mapping) and not isinstance(b, Mapping)
    ]


def scatter(axes: "Axes", points: Sequence[tuple[float, float]], about: str) -> None:
    """Draws each pair as a point; on the line, both sides are equal.

    Args:
        axes: The plot.
        points: By `ended`, at least one.
        about: What is measured, with its unit.
    """
    every = [value for point in points for value in point]
    low, high = min(0.0, *every), max(every)
    edge = (high - low) * 0.04 or 1.0
    ends = (low - edge, high + edge)
    axes.plot(ends, ends, color=GREY, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.scatter(
        [a for a, _ in points],
        [b for _, b in points],
        s=16,
        color=BLUE,
        alpha=0.55,
        linewidths=0,
        zorder=3,
        rasterized=len(points) > DOTS_MAX,
    )
    axes.set_xlim(ends)
    axes.set_ylim(ends)
    axes.set_aspect("equal")
    axes.set_xlabel(f"A: {about}")
    axes.set_ylabel("B")


def cell_spots(
    metric: str, pairs: Mapping[Key, Both], rows: "Mapping[Key, Row]", fields: Sequence[str]
) -> tuple[list[Spot], int]:
    """Sum up the difference in each cell: a median of times, a mean of all else.

    Args:
        metric: Its name.
        pairs: Of that metric.
        rows: Of side A, by the same keys.
        fields: Those that vary.

    Returns:
        A spot for each cell that can be drawn, and the number of the others: in them, most pairs,
        or for a mean one, never came to it on one side alone.
    """
    cells: dict[int, list[Key]] = {}
    for key in pairs:
        cells.setdefault(rows[key]["cell"], []).append(key)
    spots, missing = [], 0
    for _, keys in sorted(cells.items()):
        middle = _middle(difference(metric, [pairs[key] for key in keys]))
        if middle is None:
            missing += 1
            continue
        changes = rows[keys[0]]["changes"]
        spots.append(Spot(tuple(str(changes.get(name)) for name in fields), middle))
    return spots, missing


def zero_line(axes: "Axes") -> None:
    """Draws where both sides are equal."""
    axes.axhline(0.0, color=BLACK, linewidth=0.8)


def _middle(one: Difference) -> Middle | None:
    """Takes what is drawn; the end of an interval that is endless is drawn at the middle."""
    middle, low, high = one.median, one.low, one.high
    if one.metric not in TIMES:
        middle, low, high = math.inf if one.mean is None else one.mean, one.mean_low, one.mean_high
    if math.isinf(middle):
        return None
    if low is None or high is None:
        return Middle(Quantile(middle), None)
    return Middle(Quantile(middle), (_end(low, middle), _end(high, middle)))


def _end(value: float, middle: float) -> Quantile:
    return Quantile(middle, is_beyond=True) if math.isinf(value) else Quantile(value)
