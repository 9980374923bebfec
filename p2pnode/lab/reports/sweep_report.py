"""Makes the page of a sweep from its rows: what came of each cell, and its measures in plots."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from p2pnode.lab.reports.cells import MEASURES, against, heat_map, spots_of, varied
from p2pnode.lab.reports.page import document, table
from p2pnode.lab.reports.report import inline, write_page
from p2pnode.lab.reports.style import Caption, drawing, save
from p2pnode.lab.source import version_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from p2pnode.lab.reports.cells import Spot

SEEDS_NAMED: Final = 8
MARKS: Final = (
    "Points are {kind} over the seeds of a cell, whiskers 95 % bootstrap intervals where there are "
    "five seeds or more. An open triangle is a time that the runs' end cut short: the true value "
    "is above."
)


def write_sweep_report(
    folder: Path,
    manifest: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    cells: Sequence[Mapping[str, object]],
    notes: Sequence[str],
) -> Path:
    """Writes `report.html` into the folder of a sweep, with all plots inside, and `plots`.

    Args:
        folder: Of the sweep.
        manifest: What `sweep.json` holds.
        rows: One for each run.
        cells: The table of cells, one record for each.
        notes: Sentences about that table.

    Returns:
        The path of the page.

    Raises:
        MissingExtra: matplotlib is not installed.
        OSError: the folder cannot be written to.
    """
    source = origin(manifest, rows)
    figures = list(_plots(folder / "plots", rows, Caption(source)))
    plan = manifest.get("plan")
    name = str(plan.get("name", "")) if isinstance(plan, Mapping) else ""
    state = str(manifest.get("state", "unknown"))
    heads = list(dict.fromkeys(key for cell in cells for key in cell))
    body = [[str(cell.get(key, "-")) for key in heads] for cell in cells]
    parts = [
        f"<h1>{escape(name)}</h1>",
        f'<p class="origin">{escape(source)}</p>',
        ""
        if state == "complete"
        else f"<p><strong>Not all runs are there: {escape(state)}.</strong></p>",
        "<h2>Cells</h2>",
        table(heads, body),
        *(f'<p class="note">{escape(note)}</p>' for note in notes),
        "<h2>Figures</h2>",
        "" if figures else "<p>Nothing varies, or nothing was measured.</p>",
        *(
            f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
            for svg, caption in figures
        ),
    ]
    return write_page(folder, document(name, parts))


def origin(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Says where rows come from: sweep, seeds and version."""
    plan = manifest.get("plan")
    plan = plan if isinstance(plan, Mapping) else {}
    return " · ".join(
        [
            str(plan.get("name", "")),
            f"{len(rows)} runs of {len({row['cell'] for row in rows})} cells",
            f"seeds {seeds_text(row['seed'] for row in rows)}",
            "simulated",
            version_text(manifest, plan.get("version", "")),
        ]
    )


def seeds_text(seeds: Iterable[int]) -> str:
    """Names seeds, or from which to which they go where there are many."""
    every = sorted(set(seeds))
    if len(every) > SEEDS_NAMED:
        return f"{every[0]} to {every[-1]} ({len(every)} of them)"
    return ", ".join(map(str, every))


def _plots(
    folder: Path, rows: Sequence[Mapping[str, Any]], caption: Caption
) -> Iterator[tuple[str, str]]:
    """Writes each plot that there is data for; yields its SVG and what it shows."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = varied(rows)
    for metric, about in MEASURES.items():
        spots = spots_of(rows, metric)
        if not spots or not fields:
            continue
        kind = "medians" if metric.endswith("_ms") else "means"
        told = f"{about[0].upper()}{about[1:]}. {MARKS.format(kind=kind)}"
        for place in range(len(fields)) if len(fields) != 2 else (0,):
            name = f"{metric}-{place}" if len(fields) > 2 else metric
            yield _plot(folder, name, partial(_curve, spots, fields, place, about), caption), told
        if len(fields) == 2:
            draw = partial(_map, spots, fields, about)
            told = f"{about[0].upper()}{about[1:]}, {kind} over seeds; hatched, with >: cut short."
            yield _plot(folder, f"{metric}-map", draw, caption), told


def _plot(folder: Path, name: str, draw: "Callable[[Axes], None]", caption: Caption) -> str:
    with drawing(height=3.6) as (figure, axes):
        draw(axes)
        save(figure, folder, name, caption)
    return inline((folder / f"{name}.svg").read_text(encoding="utf-8"), name)


def _curve(
    spots: "Sequence[Spot]", fields: Sequence[str], place: int, about: str, axes: "Axes"
) -> None:
    against(axes, spots, fields, place)
    axes.set_title(f"{about[0].upper()}{about[1:]}")


def _map(spots: "Sequence[Spot]", fields: Sequence[str], about: str, axes: "Axes") -> None:
    heat_map(axes, spots, fields)
    axes.set_title(f"{about[0].upper()}{about[1:]}")
