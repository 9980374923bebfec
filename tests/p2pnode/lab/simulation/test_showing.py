import io
import sys

import pytest

from p2pnode.lab.simulation import showing
from p2pnode.lab.simulation.showing import shown_run, shown_shrinking, shown_sweep, size_of
from p2pnode.lab.simulation.sweeping import Standing
from protocol.simulator.catalogue import calm
from protocol.units import SECOND


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_a_short_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_run(calm(1)) as progress:
        progress(6 * SECOND)
    assert capsys.readouterr().err == ""


def test_without_a_terminal_a_long_one_says_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "LINE_SECONDS", 0.0)
    with shown_run(calm(1)) as progress:
        progress(6 * SECOND)
        progress(24 * SECOND)
    with shown_sweep("many") as told:
        told(Standing(5, 10, 30.2))
        told(Standing(6, 10, 6_000.0))
        told(Standing(7, 10, 7_200.0))
    with shown_shrinking("less", 0) as told_shrinking:
        told_shrinking(3, calm(1))
    assert capsys.readouterr().err.splitlines() == [
        "calm: 50%, 6.0 s of virtual time (faults)",
        "calm: 100%, 24.0 s of virtual time (settling, 192 s at most)",
        "many: 50%, 5 of 10 runs, about 30 s left",
        "many: 60%, 6 of 10 runs, about 1.7 h left",
        "many: 70%, 7 of 10 runs, about 2.0 h left",
        "less: 100%, 3 runs; 5 nodes, 0 of them dishonest, 0 faults, 8 transfers, 2 jobs",
    ]


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with shown_run(calm(1)) as progress:
        progress(6 * SECOND)
    assert "calm" in terminal.getvalue()


def test_the_size_of_a_scenario_is_said_in_one_line() -> None:
    assert size_of(calm(1)) == "5 nodes, 0 of them dishonest, 0 faults, 8 transfers, 2 jobs"
