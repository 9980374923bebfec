"""Plots over time: how soon things are final, how far the nodes are apart, who is how far."""

from typing import TYPE_CHECKING, Final, cast

from p2pnode.lab.reports.style import BLUE, GREY, VERMILION, colour_of, dashes_of, shade
from p2pnode.lab.reports.words import side_name
from p2pnode.lab.results.reading import Reading, rows_of
from p2pnode.lab.results.survival import ended_shares
from p2pnode.lab.results.waiting import PARTS, finality_waits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SECOND_MS: Final = 1_000
LEGEND_GAP: Final = 4.4
LEGEND_MAX: Final = 24
"""More nodes than this are drawn without their names."""


def finality_curves(axes: "Axes", reading: Reading) -> bool:
    """Draws the share of requests that are final by each time after they were asked for.

    One line for each side, and where there were faults one for each part of the run. A line that
    stays below 1 has requests that never became final; a cross marks how long they were watched.

    Returns:
        Whether there was anything to draw.
    """
    lines = [
        (side, part)
        for side in reading.sides
        for part in (PARTS if reading.window is not None else ("",))
    ]
    drawn = 0
    for side, part in lines:
        waits = finality_waits(reading, side, part)
        if not waits:
            continue
        shares = ended_shares(waits)
        times = [0.0, *(time / SECOND_MS for time, _ in shares)]
        heights = [0.0, *(share for _, share in shares)]
        label = f"{side_name(reading, side)}{f', {part}' if part else ''} (n = {len(waits)})"
        place = reading.sides.index(side)
        style = dashes_of(PARTS.index(part) if part else 0)
        longest = max(wait.time_ms for wait in waits) / SECOND_MS
        axes.step(
            [*times, max(longest, times[-1])],
            [*heights, heights[-1]],
            where="post",
            color=colour_of(place),
            linestyle=style,
            label=label,
        )
        if heights[-1] < 1 - 1e-9:
            axes.plot([longest], [heights[-1]], "x", color=colour_of(place), markersize=6)
        drawn += 1
    axes.set_title("Time from request to finality")
    axes.set_xlabel("seconds after the request, at the node that was asked")
    axes.set_ylabel("share that is final")
    axes.set_ylim(0, 1.03)
    axes.set_xlim(left=0)
    if drawn:
        legend_below(axes, 2 if drawn > 3 else 1)
    return bool(drawn)


def divergence_curve(axes: "Axes", reading: Reading) -> bool:
    """Draws the distance of the nodes' sets of blocks over time, in blocks and as a share.

    From the first commit on: before, nodes that just started make the share meaningless.
    """
    if not reading.saw_acceptance:
        return False
    times: list[float] = []
    apart: list[int] = []
    share: list[float] = []
    has_begun = False
    for row in rows_of(reading.tables["series"]):
        has_begun = has_begun or bool(row["final_index"])
        time_s = cast("float", row["time_ms"]) / SECOND_MS
        if has_begun and (not times or times[-1] != time_s):
            times.append(time_s)
            apart.append(cast("int", row["blocks_union"]) - cast("int", row["blocks_common"]))
            share.append(cast("float", row["divergence"]))
    if not times:
        return False
    axes.set_title("Blocks that not every live honest node has", pad=16)
    axes.plot(times, apart, color=BLUE, drawstyle="steps-post", label="blocks")
    axes.set_xlabel("seconds since genesis")
    axes.set_ylabel("|union| − |intersection|", color=BLUE)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="y", integer=True)
    axes.set_xlim(times[0], times[-1])
    shade_faults(axes, reading)
    other = axes.twinx()
    other.plot(times, share, color=VERMILION, linestyle="--", linewidth=1.1, label="share")
    other.set_ylabel("D = 1 − |intersection| / |union|", color=VERMILION)
    other.set_ylim(0, max(0.05, 1.15 * max(share)))
    other.grid(visible=False)
    other.spines["right"].set_visible(True)
    return True


def index_curves(axes: "Axes", reading: Reading) -> bool:
    """Draws each node's newest commit over time; a gap is a time in which it was down.

    Lines that fall together get thinner from node to node, so that all of them can be seen.
    """
    for place, node in enumerate(reading.nodes):
        times: list[float] = []
        indices: list[float] = []
        for row in rows_of(reading.tables["series"]):
            if row["node"] == node:
                times.append(cast("float", row["time_ms"]) / SECOND_MS)
                height = cast("int", row["final_index"]) if row["is_live"] else float("nan")
                indices.append(height)
        if times:
            axes.plot(
                times,
                indices,
                color=colour_of(place),
                linestyle=dashes_of(place),
                linewidth=max(1.1, 4.4 - 0.7 * place),
                drawstyle="steps-post",
                label=f"node {node}",
            )
            axes.set_xlim(times[0], times[-1])
    shade_faults(axes, reading)
    axes.set_title("Newest final commit of each node", pad=16)
    axes.set_xlabel("seconds since genesis")
    axes.set_ylabel("commit index")
    axes.set_ylim(bottom=0)
    if 0 < len(reading.nodes) <= LEGEND_MAX:
        legend_below(axes, 6)
    return bool(reading.nodes)


def legend_below(axes: "Axes", columns: int, gap: float = LEGEND_GAP) -> None:
    """Puts the legend under the plot, where it hides nothing.

    Args:
        axes: The plot.
        columns: Entries side by side.
        gap: Room for the labels of the axis, in heights of the legend's font.
    """
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        borderaxespad=gap,
        ncols=columns,
        columnspacing=1.3,
        handletextpad=0.5,
    )


def shade_faults(axes: "Axes", reading: Reading) -> None:
    """Shades the time of each fault; faults that overlap share one shade and one name."""
    spans: list[tuple[float, float, list[str]]] = []
    timed = [one for one in reading.faults if one.begin_ms is not None and one.end_ms is not None]
    for fault in sorted(timed, key=lambda one: one.begin_ms or 0.0):
        begin_s, end_s = (fault.begin_ms or 0.0) / SECOND_MS, (fault.end_ms or 0.0) / SECOND_MS
        if spans and begin_s <= spans[-1][1]:
            first, last, kinds = spans.pop()
            spans.append((first, max(last, end_s), [*kinds, fault.kind]))
        else:
            spans.append((begin_s, end_s, [fault.kind]))
    room = 8 * len(spans) <= reading.ended_ms / SECOND_MS
    for begin_s, end_s, kinds in spans:
        names = ", ".join(dict.fromkeys(kinds))
        shade(axes, begin_s, end_s, names if room or len(spans) < 3 else "")
    if not room and len(spans) >= 3:
        kinds = [kind for *_, names in spans for kind in names]
        axes.text(
            1.0,
            1.0,
            f"shaded: {', '.join(dict.fromkeys(kinds))}",
            transform=axes.transAxes,
            ha="right",
            va="bottom",
            fontsize=7.5,
            color=GREY,
        )
