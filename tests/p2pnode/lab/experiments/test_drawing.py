"""Plots as files."""

import sys
from pathlib import Path

import pytest

from p2pnode.lab.experiments.drawing import DrawingError, draw
from tests.p2pnode.lab.experiments.builders import a_chart

SMALL_BYTES = 60_000


def test_the_same_charts_give_the_same_small_file_without_a_date(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    charts = (a_chart(), a_chart(6))
    draw(charts, tmp_path / "first.svg")
    draw(charts, tmp_path / "second.svg")
    text = (tmp_path / "first.svg").read_text(encoding="utf-8")
    assert text == (tmp_path / "second.svg").read_text(encoding="utf-8")
    assert "<dc:date>" not in text
    assert all(label in text for label in ("Halves", "half of it", "half, known", "one by one"))
    assert len(text) < SMALL_BYTES


def test_without_the_library_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DrawingError, match=r"pip install 'p2pnode\[lab\]'"):
        draw((a_chart(),), tmp_path / "plot.svg")
