from pathlib import Path

import pytest

from p2pnode.lab import demo
from p2pnode.lab.commands import main


def test_a_missing_model_is_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "magika_models", list)
    assert main(["demo"]) == 1
    assert "pip install magika" in capsys.readouterr().err


def test_missing_examples_are_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(demo, "magika_models", lambda: [tmp_path])
    monkeypatch.setattr(demo, "EXAMPLES", tmp_path)
    assert main(["demo"]) == 1
    assert "source tree" in capsys.readouterr().err
