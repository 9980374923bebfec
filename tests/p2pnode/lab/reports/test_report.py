"""A report from a folder alone."""

import re
import sys
from pathlib import Path

import pytest

from p2pnode.lab.reports import write_report
from p2pnode.lab.results import BadFolder, MissingExtra, manifest_of, summary_of, write_folder
from tests.p2pnode.lab.results.builders import played, tables

pytest.importorskip("matplotlib")
pytest.importorskip("polars")

PLOTS = ("dag", "divergence", "final_index", "finality", "links", "operation")


def write(folder: Path) -> None:
    collector, outcome, found = played("split-3-2")
    write_folder(folder, manifest_of(collector, outcome, 1.0), summary_of(found), found)


@pytest.mark.slow
def test_equal_folders_give_equal_reports_that_ask_nobody_for_anything(tmp_path: Path) -> None:
    texts = []
    for name in ("first", "second"):
        write(tmp_path / name)
        path = write_report(tmp_path / name)
        assert path == tmp_path / name / "report.html"
        texts.append(path.read_text(encoding="utf-8"))
        files = {one.name for one in (tmp_path / name / "plots").iterdir()}
        assert files == {f"{plot}.{kind}" for plot in PLOTS for kind in ("svg", "png")}
    assert texts[0] == texts[1]
    for plot in PLOTS:
        drawn = [
            (tmp_path / one / "plots" / f"{plot}.svg").read_bytes() for one in ("first", "second")
        ]
        assert drawn[0] == drawn[1]
        assert b"<dc:date>" not in drawn[0]
    assert not re.search(r"<script|<link|<img|@import|src=|href=\"http|url\((?!#)", texts[0])
    assert texts[0].count("<svg") == len(PLOTS)
    identifiers = re.findall(r'\bid="([^"]+)"', texts[0])
    assert len(identifiers) == len(set(identifiers))
    used = set(re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', texts[0]))
    assert used
    assert used <= set(identifiers)


def test_an_empty_run_has_a_report_without_plots_of_what_is_not_there(tmp_path: Path) -> None:
    write_folder(tmp_path, {"name": "nothing", "outcome": "unknown"}, {}, tables())
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert "<svg" not in text
    assert list((tmp_path / "plots").iterdir()) == []


def test_a_folder_without_results_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(BadFolder):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_tables_that_cannot_be_understood_are_refused(tmp_path: Path) -> None:
    faults = [{"kind": "Crash", "nodes": "one two", "count": 1}]
    write_folder(tmp_path, {"name": "odd"}, {}, tables(faults=faults))
    with pytest.raises(BadFolder, match="the tables are damaged: invalid literal for int"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_missing_library_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"needs matplotlib: pip install 'p2pnode\[lab\]'"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()
