"""The command line."""

from pathlib import Path

import pytest

from p2pnode.lab.experiments import __main__ as command
from tests.p2pnode.lab.experiments.builders import a_row, an_experiment


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    experiments = (an_experiment("first"), an_experiment("second", a_row(4), a_row(bites=0)))
    monkeypatch.setattr(command, "EXPERIMENTS", experiments)
    return command.main(words)


def test_it_fails_when_a_row_differs_or_did_not_bite(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch) == 1
    printed = capsys.readouterr().out
    assert printed.endswith("2 rows differ or prove nothing\n")
    assert "-- second: What is half of it?\n   differs      delays: 4" in printed


def test_one_experiment_may_be_run_alone_with_little_effort(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--only", "first", "--quick") == 0
    printed = capsys.readouterr().out
    assert "   Effort 1.\n" in printed
    assert "second" not in printed


def test_it_writes_the_page_when_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run(monkeypatch, "--write", str(tmp_path))
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["README.md", "first.json", "first.svg", "second.json", "second.svg"]
