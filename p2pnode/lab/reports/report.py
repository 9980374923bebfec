"""Makes a run's report from its folder alone: a page, and each plot as SVG and PNG."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2pnode.lab.reports.curves import divergence_curve, finality_curves, index_curves
from p2pnode.lab.reports.diagrams import dag_window, life_of_an_operation
from p2pnode.lab.reports.link_map import link_map
from p2pnode.lab.reports.page import origin, page
from p2pnode.lab.reports.style import Caption, drawing, save
from p2pnode.lab.results import BadFolder, Reading, Results, read_folder, read_tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Draw = Callable[["Axes", Reading], bool]
PLOTS: Final[tuple[tuple[str, Draw, float, str], ...]] = (
    (
        "finality",
        finality_curves,
        3.6,
        "Share of accepted requests that are final by each time. Requests that the run's end cut "
        "short count as waiting (Kaplan-Meier); a cross ends a line that never comes to 1.",
    ),
    (
        "divergence",
        divergence_curve,
        3.2,
        "Blocks that some live honest node has and another has not: their number (line, left) and "
        "their share of all blocks so far (dashes, right).",
    ),
    ("final_index", index_curves, 3.4, "How far finality was at each honest node."),
    (
        "operation",
        life_of_an_operation,
        3.2,
        "The request that took longest: asked for, in a block (the orange line lasts until it is "
        "final), and final at each honest node. Grey lines are the block's way.",
    ),
    (
        "dag",
        dag_window,
        3.8,
        "A window of rounds, chosen for the most leaders that were not committed. Lines are "
        "references; a ring marks the leader of a round.",
    ),
    (
        "links",
        link_map,
        3.6,
        "Links on which messages met a cut, while it lasted.",
    ),
)
"""Name, drawing, height in inches and caption of each plot."""

REPORT: Final = "report.html"


def write_report(folder: Path) -> Path:
    """Writes `report.html` and `plots/` into a run's folder.

    Returns:
        The page.

    Raises:
        BadFolder: the folder holds no results that can be read.
        MissingExtra: polars or matplotlib is not installed.
    """
    results = read_folder(folder)
    try:
        reading = read_tables(results.tables)
    except (ValueError, KeyError, TypeError) as error:
        raise BadFolder(f"{folder}: the tables are damaged: {error}") from error
    figures = list(write_plots(results, reading, folder / "plots"))
    text = page({**results.manifest, "rewards": results.summary.get("rewards")}, reading, figures)
    return write_page(folder, text)


def write_page(folder: Path, text: str) -> Path:
    """Replaces the page of a folder as a whole."""
    partial = folder / f"{REPORT}.partial"
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, folder / REPORT)  # noqa: PTH105  the one that replaces at once
    return folder / REPORT


def write_plots(results: Results, reading: Reading, folder: Path) -> Iterator[tuple[str, str]]:
    """Writes each plot that there is data for; yields its SVG and its caption."""
    folder.mkdir(parents=True, exist_ok=True)
    caption = Caption(origin(results.manifest))
    for name, draw, height, about in PLOTS:
        with drawing(height=height) as (figure, axes):
            if draw(axes, reading):
                save(figure, folder, name, caption)
                yield inline((folder / f"{name}.svg").read_text(encoding="utf-8"), name), about


def inline(svg: str, name: str) -> str:
    """Makes an SVG file part of a page: no declaration, and identifiers of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    return re.sub(r'xlink:href="#', f'xlink:href="#{name}-', svg)
