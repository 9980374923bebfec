"""The page of a comparison says who is compared, and what both sides' rows say."""

import re
from pathlib import Path

import pytest

from p2pnode.lab.reports import write_compare_report
from p2pnode.lab.simulation.comparing import Compared, compare
from p2pnode.lab.simulation.saying import comparison_notes, comparison_table
from tests.p2pnode.lab.simulation.builders import write_sweep

pytest.importorskip("matplotlib")

EVIL = "<script>alert('x')</script>"
SEEDS = range(1, 7)


def values(side: str, cell: int, seed: int) -> dict[str, object]:
    """B is 10 ms slower in the first cell, 20 in the second, and once it is never there."""
    wait: object = 100 + seed + (cell + 1) * 10 * (side == "b")
    if (side, cell, seed) == ("b", 1, 6):
        wait = {"beyond_ms": 500.0}
    return {"recovery_backlog_ms": wait, "divergence": 0.5, "commits": 3}


def sides(folder: Path, *fields: str) -> Compared:
    """Two sweeps of two cells and six seeds."""
    for side, name in (("a", "near"), ("b", "far")):
        rows = [
            {
                "cell": cell,
                "seed": seed,
                "changes": dict.fromkeys(fields, f"{cell + 1} s"),
                "metrics": values(side, cell, seed),
            }
            for cell in range(2)
            for seed in SEEDS
        ]
        plan = {"name": name, "version": "1.2"}
        write_sweep(
            folder / side, rows, {"state": "complete", "commits": [side * 40], "plan": plan}
        )
    return compare(folder / "a", folder / "b")


def written(folder: Path, compared: Compared) -> str:
    folder.mkdir()
    measures, notes = list(comparison_table(compared)), list(comparison_notes(compared))
    path = write_compare_report(folder, compared, measures, notes)
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8")


def plots(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "plots").iterdir())


@pytest.mark.slow
def test_two_sweeps_have_differences_and_plots_in_equal_pages(tmp_path: Path) -> None:
    compared = sides(tmp_path, "x")
    page = written(tmp_path / "first", compared)
    assert page == written(tmp_path / "second", compared)
    names = ("recovery_backlog_ms-cells", "recovery_backlog_ms-pairs")
    assert plots(tmp_path / "first") == [
        f"{one}.{kind}" for one in names for kind in ("png", "svg")
    ]
    assert page.count("<svg") == 2
    assert "<h1>far against near</h1>" in page
    seeds = "seeds 1, 2, 3, 4, 5, 6"
    version = f"p2pnode 1.2 ({'a' * 12})"
    assert f"A: near · 12 runs of 2 cells · {seeds} · simulated · {version}" in page
    assert f"p2pnode 1.2 ({'b' * 12})" in page
    assert f"Paired: 12 of the same cell and seed · cells 2 · {seeds}" in page
    assert "No pair differs in: divergence, commits." in page
    assert "1 pair is left out: there it never happened" in page
    (row,) = re.findall(r"<tr><td>recovery_backlog_ms</td>.*?</tr>", page)
    assert re.findall(r"<td[^>]*>(.*?)</td>", row)[1:5] == ["12", "103", "116", "10"]
    assert "<strong>" not in page


@pytest.mark.slow
def test_two_fields_have_a_map_and_three_a_plot_each(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "three").mkdir()
    written(tmp_path / "both", sides(tmp_path / "two", "x", "y"))
    drawn = [name for name in plots(tmp_path / "both") if name.endswith("svg")]
    assert drawn == [f"recovery_backlog_ms-{one}.svg" for one in ("cells", "map", "pairs")]
    written(tmp_path / "all", sides(tmp_path / "three", "x", "y", "z"))
    drawn = [name for name in plots(tmp_path / "all") if name.endswith("svg")]
    ends = ("cells-0", "cells-1", "cells-2", "pairs")
    assert drawn == [f"recovery_backlog_ms-{one}.svg" for one in ends]


def test_what_makes_a_comparison_doubtful_is_said_and_names_are_escaped(tmp_path: Path) -> None:
    rows = [{"cell": 0, "seed": 1, "changes": {}, "outcome": "crash", "metrics": {"commits": 1}}]
    manifest = {"state": "interrupted", "plan": {"name": EVIL}}
    for side in ("c", "d"):
        write_sweep(tmp_path / side, rows, manifest)
    page = written(tmp_path / "page", compare(tmp_path / "c", tmp_path / "d"))
    assert "<script" not in page
    assert "One pair says what these two runs did" in page
    assert "Not all runs of A are there: interrupted." in page
    assert "In B, 1 run crashed: its measures end where it did." in page
    assert "<p>Nothing that is drawn differs in any pair.</p>" in page
    assert plots(tmp_path / "page") == []
