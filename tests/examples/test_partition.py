"""The partition example: its script, and its notebook cell by cell."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.examples.test_artefacts import load
from tests.p2pnode.execution.builders import ROOT

EXAMPLE = ROOT / "examples" / "03_partition"

pytest.importorskip("matplotlib")
pytest.importorskip("polars")


@pytest.mark.slow
def test_the_script_prints_what_the_text_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(EXAMPLE / "partition.py").main(tmp_path, seeds=1)
    printed = capsys.readouterr().out.splitlines()
    shown = (EXAMPLE / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line in shown for line in printed[:2]] == [True, True]
    assert printed[-1] == str(tmp_path / "seed-1" / "report.html")
    assert "minority: asked 10, accepted 10" in printed[1]


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((EXAMPLE / "partition.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in cells] == [[]] * len(cells)
    names: dict[str, Any] = {}
    for cell in cells:
        exec("".join(cell["source"]), names)  # noqa: S102  our own text
    plots = names["plt"].get_fignums()
    names["plt"].close("all")
    assert len(plots) == 4
    assert names["by_side"]["side"].to_list() == ["majority", "minority"]
    assert names["by_side"]["median_ms"].is_sorted()
    assert names["results"].manifest["outcome"] == "pass"
