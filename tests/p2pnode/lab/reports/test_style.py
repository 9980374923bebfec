"""One look, the same bytes."""

from pathlib import Path

import pytest

from p2pnode.lab.reports.style import CYCLE, Caption, colour_of, dashes_of, drawing, save, shade

pytest.importorskip("matplotlib")


def draw(folder: Path) -> bytes:
    with drawing() as (figure, axes):
        axes.plot([0, 1], [0, 1])
        axes.set_xlim(0, 10)
        shade(axes, -5, 2, "early")
        shade(axes, 20, 30, "late")
        save(figure, folder, "plot", Caption("where it comes from"))
        assert [text.get_text() for text in axes.texts] == ["early"]
    return (folder / "plot.svg").read_bytes()


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    import matplotlib  # noqa: PLC0415

    first = draw(tmp_path)
    matplotlib.rcParams["lines.linewidth"] = 9
    try:
        assert draw(tmp_path) == first
        assert matplotlib.rcParams["lines.linewidth"] == 9
    finally:
        matplotlib.rcdefaults()
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_two_lines_never_look_the_same_among_the_first_dozen() -> None:
    assert len({(colour_of(n), dashes_of(n)) for n in range(12)}) == 12
    assert len(set(CYCLE)) == 7
