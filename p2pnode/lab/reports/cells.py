"""Plots of a sweep: a measure against what varies, with intervals, and a map of two that vary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from p2pnode.lab.reports.curves import legend_below
from p2pnode.lab.reports.style import GREY, PALE, colour_of, dashes_of
from p2pnode.lab.results import Middle, middle_of, resamples_for
from p2pnode.lab.results.survival import Quantile
from p2pnode.lab.simulation.units import DIMENSIONS, read_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURES: Final[Mapping[str, str]] = {
    "finality_p50_ms": "median time to finality in ms",
    "finality_p99_ms": "99th percentile of the time to finality in ms",
    "available_final": "share of requests final within two seconds",
    "recovery_backlog_ms": "time after the last fault until all was final, in ms",
    "divergence": "greatest divergence of the nodes' blocks",
    "wasted_device_s": "device time without an accepted result, in s",
    "double_executions": "double runs of jobs",
}
"""Metrics that are drawn, and what they say."""
COUNTED: Final = "1"
"""The unit of plain numbers."""
DARK: Final = 0.55
"""Shares of the range up to here have a dark colour, on which white can be read."""
LINES_MAX: Final = 12
"""More lines than this have no names."""
NAMED_MAX: Final = 400
"""More fields of a map than this have no figures written on them."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One cell of a sweep, as far as one metric goes.

    Attributes:
        values: Of the fields that vary, in their order, as in the file.
        over: The metric over the cell's seeds.
    """

    values: tuple[str, ...]
    over: Middle


def varied(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Names the fields that have more than one value."""
    names = dict.fromkeys(name for row in rows for name in row["changes"])
    return tuple(name for name in names if len({str(row["changes"].get(name)) for row in rows}) > 1)


def spots_of(rows: Sequence[Mapping[str, Any]], metric: str) -> list[Spot]:
    """Sums up a metric over the seeds of each cell; cells that never had it are left out."""
    fields, resamples = varied(rows), resamples_for(len(rows) * len(MEASURES))
    cells: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        if metric in row["metrics"]:
            cells.setdefault(row["cell"], []).append(row)
    return [
        Spot(
            tuple(str(found[0]["changes"].get(name)) for name in fields),
            middle_of(metric, [row["metrics"][metric] for row in found], resamples),
        )
        for _, found in sorted(cells.items())
    ]


def against(axes: "Axes", spots: Sequence[Spot], fields: Sequence[str], place: int) -> None:
    """Draws a metric against one field, one line for each value of the other if there are two.

    A triangle stands where the middle is beyond the runs' end, and a small one ends an interval
    that goes on beyond it.

    Args:
        axes: The plot.
        spots: By `spots_of`.
        fields: All that vary.
        place: Of the one that goes to the right.
    """
    scale = _scale([spot.values[place] for spot in spots])
    lines: dict[str, list[Spot]] = {}
    for spot in spots:
        lines.setdefault(spot.values[1 - place] if len(fields) == 2 else "", []).append(spot)
    step = min((b - a for a, b in zip(scale.places, scale.places[1:], strict=False)), default=1.0)
    for number, (name, found) in enumerate(lines.items()):
        shift = step * 0.05 * (number - (len(lines) - 1) / 2) if len(lines) <= LINES_MAX else 0.0
        points = sorted(((scale.at(one.values[place]) + shift, one.over) for one in found), key=_x)
        _line(axes, points, number, name, is_joined=len(fields) < 3)
    label = fields[place]
    if len(scale.places) <= LINES_MAX or not scale.unit:
        axes.set_xticks(scale.places, scale.names, rotation=0 if len(scale.names) < 9 else 45)
    elif scale.unit != COUNTED:
        label += f" in {scale.unit}"
    axes.set_xlabel(label)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    if len(fields) == 2 and len(lines) <= LINES_MAX:
        legend_below(axes, 3)
        legend = axes.get_legend()
        assert legend is not None, "it was just put there"
        legend.set_title(fields[1 - place])


def heat_map(axes: "Axes", spots: Sequence[Spot], fields: Sequence[str]) -> None:
    """Draws a metric over two fields; what was cut short has a `>` and is hatched.

    Args:
        axes: The plot.
        spots: By `spots_of`.
        fields: The two.
    """
    across, up = (_scale([spot.values[place] for spot in spots]) for place in (0, 1))
    grid = [[float("nan")] * len(across.names) for _ in up.names]
    for spot in spots:
        x, y = across.names.index(spot.values[0]), up.names.index(spot.values[1])
        grid[y][x] = spot.over.middle.time_ms
    axes.set_facecolor(PALE)
    drawn = axes.imshow(grid, cmap="cividis", aspect="auto", origin="lower")
    low, high = drawn.get_clim()
    for spot in spots if len(spots) <= NAMED_MAX else ():
        x, y = across.names.index(spot.values[0]), up.names.index(spot.values[1])
        value = spot.over.middle
        is_dark = high == low or (value.time_ms - low) / (high - low) < DARK
        colour = "white" if is_dark else "black"
        axes.text(x, y, _short(value), ha="center", va="center", color=colour, zorder=3)
        if value.is_beyond:
            spread = ([x - 0.5, x + 0.5], [y - 0.5] * 2, [y + 0.5] * 2)
            axes.fill_between(*spread, facecolor="none", hatch="///", edgecolor=GREY, linewidth=0)
    axes.set_xticks(range(len(across.names)), across.names)
    axes.set_yticks(range(len(up.names)), up.names)
    axes.set_xlabel(fields[0])
    axes.set_ylabel(fields[1])
    axes.grid(visible=False)
    axes.figure.colorbar(drawn, ax=axes)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where the values of a field stand on an axis.

    Attributes:
        names: The values as they are written, in order.
        places: Of each.
        unit: Of the places; empty where they only count the names.
    """

    names: tuple[str, ...]
    places: tuple[float, ...]
    unit: str

    def at(self, name: str) -> float:
        return self.places[self.names.index(name)]


def _scale(values: Sequence[str]) -> _Scale:
    """Orders values by their size if all are numbers, or quantities of one kind."""
    names = list(dict.fromkeys(values))
    if all(name.removeprefix("-").isdecimal() for name in names):
        names.sort(key=int)
        return _Scale(tuple(names), tuple(map(float, names)), COUNTED)
    for dimension in DIMENSIONS.values():
        try:
            sizes = {name: read_quantity(name, dimension) for name in names}
        except ValueError:
            continue
        names.sort(key=sizes.__getitem__)
        unit = names[-1].lstrip("+-.0123456789 ").rstrip()
        places = tuple(sizes[name] / dimension.units[unit] for name in names)
        return _Scale(tuple(names), places, unit)
    return _Scale(tuple(names), tuple(float(place) for place in range(len(names))), "")


def _line(
    axes: "Axes",
    points: Sequence[tuple[float, Middle]],
    number: int,
    name: str,
    *,
    is_joined: bool,
) -> None:
    colour = colour_of(number)
    xs, heights = [x for x, _ in points], [over.middle.time_ms for _, over in points]
    style = dashes_of(number) if is_joined else "none"
    axes.plot(xs, heights, color=colour, linestyle=style, label=name or None)
    for x, over in points:
        mark = "^" if over.middle.is_beyond else "o"
        face = "white" if over.middle.is_beyond else colour
        axes.plot(x, over.middle.time_ms, mark, color=colour, markerfacecolor=face, markersize=6)
        if over.ends is not None:
            low, high = over.ends
            axes.plot([x, x], [low.time_ms, high.time_ms], color=colour, linewidth=1.0)
            end = "^" if high.is_beyond else "_"
            axes.plot(x, high.time_ms, end, color=colour, markersize=5, markerfacecolor="white")
            end = "v" if low.is_beyond else "_"
            axes.plot(x, low.time_ms, end, color=colour, markersize=5, markerfacecolor="white")


def _x(point: tuple[float, Middle]) -> float:
    return point[0]


def _short(value: Quantile) -> str:
    size = abs(value.time_ms)
    digits = f"{value.time_ms:.3g}" if size < 1_000 else f"{value.time_ms:.0f}"
    return f"{'> ' if value.is_beyond else ''}{digits}"
