"""The command `p2pnode sim compare`: a table for the screen, JSON for programs, a page to keep."""

import argparse
import importlib
import importlib.util
import math
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from p2pnode.cli.endings import Ending
from p2pnode.cli.output import print_json, print_table, printable
from p2pnode.lab.results import missing
from p2pnode.lab.results.folder import PARTIAL, write_json
from p2pnode.lab.simulation import saying
from p2pnode.lab.simulation.comparing import Compared, compare
from p2pnode.lab.simulation.folder import PLOTS
from p2pnode.lab.simulation.library import ScenarioError

COMPARISON: Final = "comparison.json"
OWN: Final = (COMPARISON, PLOTS, "report.html")
"""What a comparison leaves; a folder with these alone may be used again."""


def comparison(arguments: argparse.Namespace) -> int:
    """Compare two folders as a command line asks, and return the exit code.

    Raises:
        ScenarioError: They cannot be compared, or the folder for the page holds something else.
        MissingExtra: A page is wanted, and its library is not installed.
    """
    out: Path | None = arguments.out
    if out is not None:
        _prepare(out)
    compared = compare(arguments.a, arguments.b)
    record = _record(compared)
    page = _kept(out, compared, record) if out is not None else None
    if arguments.json:
        print_json(record)
        return Ending.DONE
    print_table(list(saying.comparison_table(compared)), "both sides measured nothing alike")
    for line in saying.comparison_lines(compared):
        print(printable(line))
    if page is not None:
        print(printable(f"results are in {page}"))
    return Ending.DONE


def _prepare(out: Path) -> None:
    """Refuses a folder before the work whose result it is to hold."""
    if importlib.util.find_spec("matplotlib") is None:
        raise missing("matplotlib", "A report with plots")
    try:
        out.mkdir(parents=True, exist_ok=True)
        held = [path.name for path in out.iterdir() if not path.name.endswith(PARTIAL)]
    except OSError as error:
        raise ScenarioError(f"{out}: {error.strerror}: name another folder") from error
    if held and (COMPARISON not in held or set(held) - set(OWN)):
        raise ScenarioError(f"{out} holds something else: name an empty folder")
    # Plots of an earlier comparison would be taken for this one's.
    shutil.rmtree(out / PLOTS, ignore_errors=True)


def _kept(out: Path, compared: Compared, record: dict[str, Any]) -> Path:
    """Writes the figures, then the page; imports what draws only here."""
    write_json(out / COMPARISON, record)
    reports = importlib.import_module("p2pnode.lab.reports")
    measures = list(saying.comparison_table(compared))
    notes = list(saying.comparison_notes(compared))
    return Path(reports.write_compare_report(out, compared, measures, notes))


def _record(compared: Compared) -> dict[str, Any]:
    outcomes = [{"a": a, "b": b, "pairs": count} for (a, b), count in compared.outcomes.items()]
    differences = [_finite(asdict(one)) for one in compared.differences]
    return {"differences": differences, "outcomes": outcomes, "unpaired": compared.unpaired}


def _finite(record: dict[str, Any]) -> dict[str, Any]:
    """Writes what is endless as JSON can: as a word."""
    return {
        key: saying.figure(one, later=True) if isinstance(one, float) and math.isinf(one) else one
        for key, one in record.items()
    }
