"""Plots of structure: one operation's way through the nodes, and a window of the DAG."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from p2pnode.lab.reports.curves import SECOND_MS, legend_below, shade_faults
from p2pnode.lab.reports.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
)
from p2pnode.lab.results.reading import Operation, Reading, Row, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WINDOW_ROUNDS: Final = 16
UNDECIDED_ROUNDS: Final = 3
"""Slots at the end of any run that blocks to come would have decided."""
SHORT_DIGITS: Final = 12
LABELS_MAX: Final = 24
"""Where there are more nodes than this, not all of them are drawn with their numbers."""


def life_of_an_operation(axes: "Axes", reading: Reading) -> bool:
    """Draws when one operation was seen, in a block and final at each node.

    It is the request that took longest, so that it shows what faults did; of equal ones the first.
    """
    chosen = longest_request(reading)
    if chosen is None or chosen.begun_ms is None:
        return False
    places = {node: place for place, node in enumerate(reading.nodes)}
    for node, place in places.items():
        in_block, final = chosen.in_block_ms.get(node), chosen.final_ms.get(node)
        axes.axhline(place, color="#DDE1E4", linewidth=0.8, zorder=1)
        if in_block is not None:
            end = final if final is not None else reading.ended_ms
            span = [in_block / SECOND_MS, end / SECOND_MS]
            axes.plot(span, [place, place], color=ORANGE, linewidth=3, zorder=2)
            axes.plot(span[0], place, "s", color=ORANGE, markersize=6, zorder=4)
        if final is not None:
            axes.plot(final / SECOND_MS, place, "o", color=GREEN, markersize=7, zorder=4)
    asker = chosen.asker
    if asker in places and asker is not None:
        begun_s = chosen.begun_ms / SECOND_MS
        axes.plot(begun_s, places[asker], "D", color=BLUE, markersize=7, zorder=5)
        _arrows(axes, chosen, places, asker)
    _legend(axes)
    axes.set_title(f"One {chosen.kind or 'operation'} through the nodes", pad=16)
    axes.set_xlabel("seconds since genesis")
    _name_rows(axes, list(places))
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    times = [chosen.begun_ms, *chosen.in_block_ms.values(), *chosen.final_ms.values()]
    room = max(200.0, (max(times) - min(times)) * 0.06)
    axes.set_xlim((min(times) - room) / SECOND_MS, (max(times) + room) / SECOND_MS)
    shade_faults(axes, reading)
    return True


def longest_request(reading: Reading) -> Operation | None:
    """Chooses the request that took longest to be final at the node that was asked."""
    chosen, longest = None, -1.0
    for operation in reading.operations:
        if not operation.is_request or operation.begun_ms is None or operation.asker is None:
            continue
        if operation.seen_ms is None:
            continue
        end_ms = operation.final_ms.get(operation.asker, reading.ended_ms)
        if end_ms - operation.begun_ms > longest:
            chosen, longest = operation, end_ms - operation.begun_ms
    return chosen


def _arrows(axes: "Axes", chosen: Operation, places: dict[int, int], asker: int) -> None:
    """Lines from the node that first had it in a block to all others."""
    if not chosen.in_block_ms:
        return
    source = min(chosen.in_block_ms, key=lambda node: (chosen.in_block_ms[node], node))
    start = (chosen.in_block_ms[source] / SECOND_MS, places[source])
    for node, time_ms in chosen.in_block_ms.items():
        if node != source:
            end = (time_ms / SECOND_MS, places[node])
            axes.plot(*zip(start, end, strict=True), color=GREY, linewidth=0.8, zorder=1.5)
    if source != asker and chosen.begun_ms is not None:
        begun = (chosen.begun_ms / SECOND_MS, places[asker])
        axes.plot(*zip(begun, start, strict=True), color=BLUE, linewidth=0.8, linestyle=":")


def _name_rows(axes: "Axes", nodes: Sequence[int]) -> None:
    """Names the node of each row, or of every second or third where there are too many."""
    step = 1 + (len(nodes) - 1) // LABELS_MAX
    axes.set_yticks(range(0, len(nodes), step), [f"node {node}" for node in nodes[::step]])


def _legend(axes: "Axes") -> None:
    marks = (("D", BLUE, "asked and signed"), ("s", ORANGE, "in a block"), ("o", GREEN, "final"))
    for mark, colour, label in marks:
        axes.plot([], [], mark, color=colour, label=label)
    legend_below(axes, 3)


# DAG


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a block is drawn."""

    round: int
    row: float


def dag_window(axes: "Axes", reading: Reading) -> bool:
    """Draws the blocks of some rounds, what they refer to, and what became of each leader."""
    first = window_start(reading)
    last = first + WINDOW_ROUNDS - 1
    rows = [
        row
        for row in rows_of(reading.tables["blocks"])
        if first <= cast("int", row["round"]) <= last
    ]
    if not rows:
        return False
    verdicts = _verdicts(reading)
    authors = sorted({leader for leader, _ in verdicts.values()} | {_author(row) for row in rows})
    spots = _spots(rows, authors)
    _draw_references(axes, rows, spots)
    for is_final, face in ((True, BLUE), (False, "white")):
        some = [_spot(row, spots) for row in rows if (row["commit_index"] is not None) is is_final]
        places = [spot.round for spot in some], [spot.row for spot in some]
        axes.plot(*places, "o", markersize=7, color=face, markeredgecolor=BLUE, zorder=3)
    for slot in range(first, last + 1):
        if slot in verdicts:
            leader, verdict = verdicts[slot]
            _mark_leader(axes, slot, authors.index(leader), verdict)
    _dag_frame(axes, (first, last), authors)
    shown = {verdicts[slot][1] for slot in range(first, last + 1) if slot in verdicts}
    _dag_legend(axes, shown, has_stale=any(row["commit_index"] is None for row in rows))
    return True


def _draw_references(axes: "Axes", rows: Sequence[Row], spots: Mapping[str, Spot]) -> None:
    """Draws all references as one broken line, which is much faster than many lines."""
    xs: list[float] = []
    ys: list[float] = []
    for row in rows:
        spot = _spot(row, spots)
        for reference in str(row["references"]).split():
            parent = spots.get(reference)
            if parent is not None:
                xs += [parent.round, spot.round, float("nan")]
                ys += [parent.row, spot.row, float("nan")]
    width = min(0.6, 100 * WINDOW_ROUNDS / max(1, len(xs)))
    axes.plot(xs, ys, color="#AEB5BB", linewidth=width, zorder=1)


def _spot(row: Row, spots: Mapping[str, Spot]) -> Spot:
    return spots[str(row["block"])[:SHORT_DIGITS]]


def window_start(reading: Reading) -> int:
    """Chooses the window with most slots that were not committed; of equal ones the middle one."""
    verdicts = _verdicts(reading)
    last = max(verdicts, default=1)

    def missed(start: int) -> int:
        slots = range(start, start + WINDOW_ROUNDS)
        return sum(verdicts.get(slot, (0, "committed"))[1] != "committed" for slot in slots)

    # The newest slots are always undecided, which says nothing: stay clear of them.
    starts = range(1, max(2, last - WINDOW_ROUNDS - UNDECIDED_ROUNDS + 2))
    most = max(map(missed, starts))
    best = [start for start in starts if missed(start) == most]
    return best[len(best) // 2]


def _author(row: Row) -> int:
    return cast("int", row["author"])


def _verdicts(reading: Reading) -> dict[int, tuple[int, str]]:
    """By slot: the leader, and the verdict of whichever node decided."""
    found: dict[int, tuple[int, str]] = {}
    for row in rows_of(reading.tables["votes"]):
        slot, verdict = cast("int", row["round"]), str(row["verdict"])
        if slot not in found or found[slot][1] == "undecided":
            found[slot] = (cast("int", row["leader"]), verdict)
    return found


def _spots(rows: Sequence[Row], authors: Sequence[int]) -> dict[str, Spot]:
    """Places blocks by round and author; a second block of one author stands a little lower."""
    spots: dict[str, Spot] = {}
    taken: dict[tuple[int, int], int] = {}
    for row in rows:
        place = (cast("int", row["round"]), cast("int", row["author"]))
        number = taken[place] = taken.get(place, -1) + 1
        row_number = authors.index(place[1]) + 0.28 * number
        name = str(row["block"])[:SHORT_DIGITS]
        spots[name] = Spot(place[0], row_number)
    return spots


MARKS: Final = {
    "committed": (GREEN, "leader committed"),
    "skipped": (VERMILION, "leader skipped"),
    "undecided": (BLACK, "leader undecided"),
}


def _mark_leader(axes: "Axes", slot: int, row: int, verdict: str) -> None:
    colour, _ = MARKS[verdict]
    axes.plot(
        slot,
        row,
        "o",
        color="none",
        markersize=14,
        zorder=4,
        markeredgecolor=colour,
        markeredgewidth=1.8,
    )
    if verdict != "committed":
        axes.text(
            slot,
            row - 0.34,
            "skip" if verdict == "skipped" else "?",
            color=colour,
            ha="center",
            va="bottom",
            fontsize=7,
            fontweight="bold",
        )


def _dag_frame(axes: "Axes", rounds: tuple[int, int], authors: Sequence[int]) -> None:
    axes.set_title("Blocks by round and author, and the leaders' verdicts")
    axes.set_xlabel("round")
    _name_rows(axes, authors)
    axes.set_ylim(len(authors) - 0.4, -0.7)
    axes.set_xlim(rounds[0] - 0.6, rounds[1] + 0.6)
    axes.set_xticks(range(rounds[0], rounds[1] + 1))
    axes.grid(visible=False)


def _dag_legend(axes: "Axes", verdicts: Container[str], has_stale: bool) -> None:
    """Names what there is to see."""
    axes.plot([], [], "o", color=BLUE, label="block, final")
    if has_stale:
        axes.plot([], [], "o", color="white", markeredgecolor=BLUE, label="never final")
    for verdict, (colour, label) in MARKS.items():
        if verdict in verdicts:
            axes.plot(
                [],
                [],
                "o",
                color="none",
                markersize=10,
                label=label,
                markeredgecolor=colour,
                markeredgewidth=1.8,
            )
    legend_below(axes, 5)
