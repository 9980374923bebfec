"""The rows of a sweep as one flat CSV file, for whatever reads tables."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from p2pnode.lab.results import TIMES, wait_of
from p2pnode.lab.results.folder import PARTIAL

HEAD: Final = ("cell", "seed", "outcome", "as_expected", "broken", "unknown", "trace", "wall_ms")
CUT_SHORT: Final = "_is_beyond"
"""Ends the column that says of a time that the run ended before it."""


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one line for each run, as a whole or not at all.

    Columns are those of `HEAD`, each field that varies by its path, and each metric by its name;
    a cell is empty where the metric cannot be.
    """
    changes = list(dict.fromkeys(name for row in rows for name in row["changes"]))
    metrics = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    marks = [name + CUT_SHORT for name in metrics if name in TIMES]
    partial = path.with_name(path.name + PARTIAL)
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*HEAD, *changes, *metrics, *marks], restval="")
        writer.writeheader()
        writer.writerows(map(_line, rows))
    partial.replace(path)


def _line(row: Mapping[str, Any]) -> dict[str, object]:
    line: dict[str, object] = {name: _cell(row[name]) for name in HEAD} | dict(row["changes"])
    for name, metric in row["metrics"].items():
        wait = wait_of(metric)
        line[name] = wait.time_ms
        if name in TIMES:
            line[name + CUT_SHORT] = _cell(not wait.has_ended)
    return line


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(str(one) for one in value) if isinstance(value, list) else value
