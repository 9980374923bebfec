import io
import sys

import pytest

from p2pnode.offline.progress import shown_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_how_far_it_is_and_a_clean_line_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with shown_progress("auditing", 200) as progress:
        progress.show(1_234, 50)
        progress.show(1_235, 51)
    text = "auditing: 1,234 blocks, 25 %"
    assert terminal.getvalue() == f"\r{text}\r{' ' * len(text)}\r"


def test_nobody_else_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress("auditing") as progress:
        progress.show(1, 0)
    assert capsys.readouterr().err == ""
