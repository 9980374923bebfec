import io
import sys

import pytest

from p2pnode.cli.progress import shown_progress
from tests.p2pnode.fake_node import job_record


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_name_each_phase_once(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress() as follow:
        follow({"state": "bidding", "timeline": [{"phase": "bidding", "round": 3}]})
        follow({"state": "bidding", "timeline": [{"phase": "bidding", "round": 3}]})
        follow(job_record())
    assert capsys.readouterr().err == "bidding (round 3)\nsettled (round 20)\n"


def test_a_terminal_shows_finished_phases_and_the_present_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with shown_progress() as follow:
        follow({"state": "[/red]drawing", "timeline": []})
        follow(job_record())
    assert "✓ bidding (round 10)" in terminal.getvalue()
    assert "✓ settled (round 20)" in terminal.getvalue()


def test_a_record_without_a_timeline_is_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress() as follow:
        follow({"state": None, "timeline": "odd"})
    assert capsys.readouterr().err == ""
