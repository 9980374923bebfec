"""The line is written over and over, stays below the log, and never takes a second line."""

import io

import pytest

from p2pnode.live_line import ERASE, INTERVAL_SECONDS, LiveLine, can_show


def test_quick_changes_are_left_out_except_for_the_last() -> None:
    now, terminal = 0.0, io.StringIO()
    line = LiveLine(terminal, lambda: now)
    for number in range(20):
        now = number * INTERVAL_SECONDS / 4
        line.show(str(number), is_last=number == 19)
    assert terminal.getvalue().split(ERASE)[1:] == ["0", "4", "8", "12", "16", "19"]


def test_what_is_logged_passes_above_the_line() -> None:
    terminal = io.StringIO()
    line = LiveLine(terminal, lambda: 0.0)
    line.write("before\n")
    line.show("half")
    line.write("meanwhile\n")
    line.clear()
    line.clear()
    line.write("after\n")
    expected = f"before\n{ERASE}half{ERASE}meanwhile\nhalf{ERASE}after\n"
    assert terminal.getvalue() == expected


def test_a_line_is_cut_at_the_edge_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "11")
    terminal = io.StringIO()
    LiveLine(terminal, lambda: 0.0).show("0123456789 and more")
    assert terminal.getvalue() == f"{ERASE}0123456789"


def test_a_file_or_a_dumb_terminal_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    assert not can_show(stream, {"TERM": "xterm"})
    monkeypatch.setattr(stream, "isatty", lambda: True)
    assert can_show(stream, {"TERM": "xterm"})
    assert not can_show(stream, {"TERM": "dumb"})
    assert not can_show(stream, {})
