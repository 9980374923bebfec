"""The map of the links that faults closed: where messages met a cut, and where none was sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import TYPE_CHECKING, cast

from p2pnode.lab.reports.curves import legend_below
from p2pnode.lab.reports.diagrams import LABELS_MAX
from p2pnode.lab.reports.style import BLACK, GREY, PURPLE, VERMILION, colour_of
from p2pnode.lab.reports.words import side_name
from p2pnode.lab.results.reading import Reading, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Links:
    """What is known of the directed links of a run.

    Attributes:
        there: Those that messages set out on, or that were to be cut.
        cut: Those on which messages met a cut.
        silent: Those that a fault which took effect closed, and on which no message met it.
    """

    there: frozenset[Pair]
    cut: frozenset[Pair]
    silent: frozenset[Pair]


def links_of(reading: Reading) -> Links:
    """Find out which links were closed, by what messages met and by the faults' own plan."""
    counts = {
        (cast("int", row["source"]), cast("int", row["target"])): cast("int", row["cut"])
        for row in rows_of(reading.tables["links"])
    }
    cut = frozenset(pair for pair, count in counts.items() if count)
    planned = {
        pair
        for fault in reading.faults
        if fault.count
        for pair in (*fault.cut_links, *_between(fault.sides))
    }
    return Links(frozenset(counts) | planned, cut, frozenset(planned) - cut)


def _between(sides: Sequence[Sequence[int]]) -> list[Pair]:
    return [
        (first, second)
        for one in sides
        for other in sides
        if one is not other
        for first in one
        for second in other
    ]


def link_map(axes: "Axes", reading: Reading) -> bool:
    """Draws which links were cut, by plan and as messages found them, on a circle of nodes."""
    links = links_of(reading)
    if not reading.tables["links"]["source"]:
        return False
    if not any(fault.sides or fault.cut_links for fault in reading.faults):
        return False
    numbers = sorted({node for pair in links.there for node in pair} | set(reading.nodes))
    order = _ring(reading, numbers)
    angle = {node: 2 * pi * place / len(order) for place, node in enumerate(order)}
    where = {node: (sin(turn), cos(turn)) for node, turn in angle.items()}
    kinds = {_draw(axes, where, pair, links) for pair in _joined(links)}
    for node, (x, y) in where.items():
        _draw_node(axes, reading, node, (x, y), has_name=len(numbers) <= LABELS_MAX)
    for kind, (colour, style) in STYLES.items():
        if kind in kinds:
            axes.plot([], [], color=colour, linestyle=style, label=kind)
    for place, members in enumerate(reading.sides if len(reading.sides) > 1 else ()):
        axes.plot([], [], "o", color=colour_of(place), label=side_name(reading, members))
    legend_below(axes, 3, gap=0.5)
    axes.set_title("Links that stopped messages")
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_xlim(-1.25, 1.25)
    axes.set_ylim(-1.25, 1.25)
    return True


def _joined(links: Links) -> list[Pair]:
    """Each two nodes between which there is any link, once."""
    return sorted({(min(pair), max(pair)) for pair in links.there})


def _draw_node(
    axes: "Axes", reading: Reading, node: int, place: tuple[float, float], *, has_name: bool
) -> None:
    side = next((number for number, one in enumerate(reading.sides) if node in one), 0)
    axes.plot(*place, "o", markersize=17, color=colour_of(side), zorder=5)
    if has_name:
        axes.text(
            *place,
            str(node),
            color="white",
            ha="center",
            va="center",
            zorder=6,
            fontweight="bold",
        )


def _ring(reading: Reading, numbers: Sequence[int]) -> list[int]:
    """The nodes of one side stand beside each other."""
    placed = [node for side in reading.sides for node in side if node in numbers]
    return placed + [node for node in numbers if node not in placed]


OPEN = "open in both directions"
BOTH = "cut in both directions"
ONE = "cut in one direction"
SILENT = "closed, and nothing was sent"
STYLES: Mapping[str, tuple[str, str]] = {
    OPEN: (GREY, "-"),
    BOTH: (BLACK, "--"),
    ONE: (PURPLE, ":"),
    SILENT: (VERMILION, "-."),
}


def _draw(axes: "Axes", where: Mapping[int, tuple[float, float]], pair: Pair, links: Links) -> str:
    """Draws the link between two nodes, and says of which kind it is."""
    back = (pair[1], pair[0])
    kind = _kind(pair, links)
    colour, style = STYLES[kind]
    xs, ys = zip(where[pair[0]], where[pair[1]], strict=True)
    width = {OPEN: 1.2, BOTH: 1.2, ONE: 1.6, SILENT: 0.9}[kind]
    axes.plot(xs, ys, color=colour, linestyle=style, linewidth=width, zorder=1 + (kind != OPEN))
    if kind == ONE:
        tip, tail = back if pair in links.cut else pair
        axes.annotate(
            "",
            xy=_at(where[tail], where[tip], 0.62),
            xytext=_at(where[tail], where[tip], 0.5),
            arrowprops={"arrowstyle": "-|>", "color": colour},
        )
    return kind


def _kind(pair: Pair, links: Links) -> str:
    both = {pair, (pair[1], pair[0])}
    closed = both & (links.cut | links.silent)
    if not closed:
        return OPEN
    if not both & links.cut:
        return SILENT
    return BOTH if closed == both else ONE


def _at(
    first: tuple[float, float], second: tuple[float, float], share: float
) -> tuple[float, float]:
    """The point that lies at a share of the way."""
    return (
        first[0] + (second[0] - first[0]) * share,
        first[1] + (second[1] - first[1]) * share,
    )
