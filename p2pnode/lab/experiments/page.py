"""The pages of experiments: tables of all rows, and a section with a plot for each experiment.

Results are kept as JSON next to the plots, so that one experiment can be run anew without the
others. What people wrote around the table stays.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import convert, to_builtins

from p2pnode.lab.experiments.drawing import draw
from p2pnode.lab.experiments.experiment import Experiment, Findings, Obtained, Row

TABLE_PAGE: Final = "README.md"
PLOTS_PAGE: Final = "PLOTS.md"
PLOTS_TITLE: Final = (
    "# What each experiment asks, and how\n\n"
    "Written by `python -m p2pnode.lab.experiments --write`; the numbers are in the "
    "[table](README.md), those on money in [another](MARKET.md), those on a leak in a "
    "[third](LEAK.md).\n"
)
BEGIN: Final = "<!-- Written by python -m p2pnode.lab.experiments --write: do not edit. -->"
END: Final = "<!-- End of what is written. -->"
HEADER: Final = (
    "| experiment | what | expected | obtained | trials | bites | verdict |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)


def row_line(row: Row) -> str:
    """One row for a terminal."""
    verdict = row.verdict.value.strip("*")
    expected = f"expected {row.expected.text}"
    return f"   {verdict:<12} {row.what}: {_value(row.obtained)}; {expected}; {_counts(row)}"


def write_section(experiment: Experiment, findings: Findings, folder: Path) -> None:
    """Keeps the rows and the plot of one experiment.

    Raises:
        DrawingError: The library that draws is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw(findings.charts, folder / f"{experiment.name}.svg")
    kept = {"rows": to_builtins(findings.rows), "remarks": list(findings.remarks)}
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    (folder / f"{experiment.name}.json").write_text(f"{text}\n", encoding="utf-8")


def write_pages(experiments: Sequence[Experiment], folder: Path) -> None:
    """Writes all pages anew from all results that are kept."""
    kept = [(one, *_read(one, folder)) for one in experiments if _has(one, folder)]
    lines: dict[str, list[str]] = {TABLE_PAGE: []}
    for one, rows, _ in kept:
        lines.setdefault(one.table, []).extend(_table_line(one, row) for row in rows)
    for name, table in lines.items():
        _write_table(folder / name, table)
    sections = [line for one, _, remarks in kept for line in _section(one, remarks)]
    text = "\n".join([PLOTS_TITLE, *sections])
    (folder / PLOTS_PAGE).write_text(text, encoding="utf-8")


def _write_table(page: Path, lines: Sequence[str]) -> None:
    """Replaces the table of a page; what people wrote around it stays."""
    before, after = "# Experiments with known answers\n\n", ""
    if page.exists():
        text = page.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        after = rest.partition(END)[2].removeprefix("\n")
    table = "\n".join([BEGIN, "", HEADER, *lines, "", END])
    page.write_text(f"{before}{table}\n{after}", encoding="utf-8")


def _has(experiment: Experiment, folder: Path) -> bool:
    return (folder / f"{experiment.name}.json").exists()


def _read(experiment: Experiment, folder: Path) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    kept = json.loads((folder / f"{experiment.name}.json").read_text(encoding="utf-8"))
    return convert(kept["rows"], tuple[Row, ...]), tuple(kept["remarks"])


def _table_line(experiment: Experiment, row: Row) -> str:
    obtained = row.obtained
    cells = (
        f"[{experiment.name}]({PLOTS_PAGE}#{_anchor(experiment.title)})",
        row.what,
        row.expected.text,
        _value(obtained),
        f"{obtained.trials:,}",
        f"{obtained.bites:,}",
        row.verdict.value,
    )
    return f"| {' | '.join(cells)} |"


def _section(experiment: Experiment, remarks: Sequence[str]) -> Iterator[str]:
    yield f"## {experiment.title}"
    yield ""
    yield f"**{experiment.question}** {experiment.method}"
    yield f"Bites are {experiment.bite}. Source: {experiment.source}."
    yield from remarks
    yield ""
    yield f"![{experiment.title}]({experiment.name}.svg)"
    yield ""
    yield experiment.caption
    yield ""


def _anchor(title: str) -> str:
    """The name that a heading has in links."""
    return "".join(one for one in title.lower().replace(" ", "-") if one.isalnum() or one == "-")


def _value(obtained: Obtained) -> str:
    value = f"{obtained.value:.4g}"
    if obtained.low == obtained.high:
        return value
    return f"{value} [{obtained.low:.4g}, {obtained.high:.4g}]"


def _counts(row: Row) -> str:
    return f"{row.obtained.trials:,} trials, {row.obtained.bites:,} bites"
