"""The page of a sweep says what its rows say."""

from pathlib import Path
from typing import Any

import pytest

from p2pnode.lab.reports import write_sweep_report
from p2pnode.lab.reports.sweep_report import origin

pytest.importorskip("matplotlib")

EVIL = "<script>alert('x')</script>"
MANIFEST = {"state": "complete", "plan": {"name": "lengths", "version": "1.2"}}


def rows(*fields: str) -> list[dict[str, Any]]:
    metrics = {"divergence": 0.5, "recovery_backlog_ms": {"beyond_ms": 9.0}, "commits": 3}
    return [
        {
            "cell": cell,
            "seed": seed,
            "changes": dict.fromkeys(fields, f"{cell + 1} s"),
            "metrics": metrics,
        }
        for cell in range(2)
        for seed in (3, 4)
    ]


def plots(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "plots").iterdir())


@pytest.mark.slow
def test_two_fields_have_lines_and_maps_in_equal_pages(tmp_path: Path) -> None:
    cells = [{"cell": "0", "outcomes": "2 pass"}, {"cell": "1", "broken": "agreement 1"}]
    texts = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        path = write_sweep_report(tmp_path / name, MANIFEST, rows("x", "y"), cells, ["A note."])
        assert path == tmp_path / name / "report.html"
        texts.append(path.read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    names = ("divergence", "divergence-map", "recovery_backlog_ms", "recovery_backlog_ms-map")
    kinds = ("png", "svg")
    assert plots(tmp_path / "first") == sorted(f"{one}.{kind}" for one in names for kind in kinds)
    assert texts[0].count("<svg") == 4
    assert "<th>cell</th><th>outcomes</th><th>broken</th>" in texts[0]
    assert "<td>1</td><td>-</td><td>agreement 1</td>" in texts[0]
    assert '<p class="note">A note.</p>' in texts[0]
    assert "Not all runs" not in texts[0]


@pytest.mark.slow
def test_each_of_three_fields_has_its_own_plot(tmp_path: Path) -> None:
    write_sweep_report(tmp_path, MANIFEST, rows("x", "y", "z"), [], [])
    names = (f"{metric}-{n}" for metric in ("divergence", "recovery_backlog_ms") for n in range(3))
    assert plots(tmp_path) == sorted(f"{one}.{kind}" for one in names for kind in ("png", "svg"))


def test_an_unfinished_sweep_without_anything_that_varies_says_so(tmp_path: Path) -> None:
    manifest = {"state": EVIL, "plan": {"name": EVIL}}
    path = write_sweep_report(tmp_path, manifest, rows(), [{EVIL: EVIL}], [EVIL])
    text = path.read_text(encoding="utf-8")
    assert "<p>Nothing varies, or nothing was measured.</p>" in text
    assert "<strong>Not all runs are there: &lt;script&gt;" in text
    assert "<script" not in text
    assert plots(tmp_path) == []


def test_a_sweep_says_where_it_comes_from() -> None:
    said = "lengths · 4 runs of 2 cells · seeds 3, 4 · simulated · p2pnode 1.2"
    assert origin(MANIFEST, rows("x")) == said
    many = [{"cell": 0, "seed": seed} for seed in range(1, 21)]
    assert "seeds 1 to 20 (20 of them)" in origin({"plan": 7}, many)
    assert origin(MANIFEST | {"commit": "c" * 40}, []).endswith(f"p2pnode 1.2 ({'c' * 12})")
