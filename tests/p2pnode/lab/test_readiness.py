import os
import time
from pathlib import Path

import pytest

from p2pnode.lab.processes import identify
from p2pnode.lab.readiness import (
    NotReady,
    last_words,
    metrics_of,
    peers_of,
    read_metrics,
    status_of,
    wait_for,
)
from tests.p2pnode.lab import builders


def test_a_node_that_ended_is_not_waited_for_and_its_last_words_are_told(tmp_path: Path) -> None:
    member = builders.member(tmp_path)
    member.log.write_text("first\nthe disk is full\n")
    with pytest.raises(NotReady, match="node 0 ended: the disk is full"):
        wait_for([member], lambda status: True, "answering", time.monotonic() + 60)


def test_a_node_that_does_not_answer_is_not_waited_for_beyond_the_deadline(tmp_path: Path) -> None:
    member = builders.member(tmp_path, process=identify(os.getpid()))
    assert status_of(member) is None
    with pytest.raises(NotReady, match="node 0 is not answering in time"):
        wait_for([member], lambda status: True, "answering", time.monotonic())


def test_silence_is_told_as_such(tmp_path: Path) -> None:
    assert "wrote nothing" in last_words(builders.member(tmp_path))


def test_counters_are_read_without_their_prefix_and_comments() -> None:
    text = "# TYPE p2pnode_round gauge\np2pnode_round 7.0\np2pnode_x_total 2\n"
    assert read_metrics(text) == {"round": 7.0, "x_total": 2.0}


def test_a_node_that_does_not_serve_has_no_counters(tmp_path: Path) -> None:
    assert metrics_of(builders.member(tmp_path)) is None
    assert peers_of(builders.member(tmp_path)) == []
    assert metrics_of(builders.member(tmp_path, process=identify(os.getpid()))) is None
