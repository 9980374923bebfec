"""The command line."""

import sys
from pathlib import Path

import pytest

from p2pnode.lab.experiments import __main__ as command
from tests.p2pnode.lab.experiments.builders import a_row, an_experiment


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    experiments = (
        an_experiment("first", a_row(), a_row(4)),
        an_experiment("second", a_row(bites=0)),
    )
    monkeypatch.setattr(command, "EXPERIMENTS", experiments)
    return command.main(words)


def test_it_fails_when_a_fault_did_not_bite(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch) == 1
    printed = capsys.readouterr().out
    assert printed.endswith("3 rows: 1 differ, 1 prove nothing\n")
    assert "-- second: What is half of it?\n   did not bite delays: 3" in printed


def test_one_experiment_may_be_run_alone_and_a_row_that_differs_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--only", "first", "--quick") == 0
    printed = capsys.readouterr().out
    assert "   Effort 1.\n" in printed
    assert "second" not in printed


def test_it_writes_the_page_when_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run(monkeypatch, "--write", str(tmp_path))
    written = {path.name for path in tmp_path.iterdir()}
    pages = {"README.md", "PLOTS.md"}
    assert written == pages | {"first.json", "first.svg", "second.json", "second.svg"}


def test_without_the_library_that_draws_it_measures_nothing_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run(monkeypatch, "--write", str(tmp_path)) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "plots need the optional part: pip install 'p2pnode[lab]'\n"
