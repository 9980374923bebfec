"""Diagrams choose what there is to see."""

import pytest

from p2pnode.lab.reports.diagrams import (
    dag_window,
    life_of_an_operation,
    longest_request,
    window_start,
)
from p2pnode.lab.reports.style import drawing
from tests.p2pnode.lab.results.builders import operation, reading

pytest.importorskip("matplotlib")


def vote(slot: int, verdict: str) -> dict[str, str | int | float | bool | None]:
    return {"round": slot, "leader": slot % 2, "verdict": verdict, "node": 0}


def test_the_request_that_took_longest_is_shown() -> None:
    run = reading(
        operations=[
            *operation("a", 0, 500.0, {0: 900.0}),
            *operation("b", 1, 1_500.0, {0: 4_000.0}),
            *operation("c", 0, 1_500.0, {0: 4_000.0}),
        ]
    )
    chosen = longest_request(run)
    assert chosen is not None
    assert chosen.identifier == "b"
    with drawing() as (_, axes):
        assert life_of_an_operation(axes, run)
        assert axes.get_title(loc="left") == "One transfer through the nodes"


def test_the_window_shows_most_slots_that_were_not_committed() -> None:
    votes = [vote(slot, "skipped" if slot in {30, 31} else "committed") for slot in range(1, 61)]
    first = window_start(reading(votes=votes))
    assert first <= 30
    assert first + 15 >= 31


def test_leaders_without_a_block_and_stale_blocks_are_drawn() -> None:
    blocks = [
        {"round": 1, "author": 1, "block": "a" * 64, "commit_index": 1},
        {"round": 2, "author": 1, "block": "b" * 64, "references": "a" * 12},
    ]
    votes = [vote(1, "committed"), vote(2, "skipped"), vote(3, "undecided")]
    with drawing() as (_, axes):
        assert dag_window(axes, reading(blocks=blocks, votes=votes))
        legend = axes.get_legend()
        assert legend is not None
        assert [text.get_text() for text in legend.get_texts()] == [
            "block, final",
            "never final",
            "leader committed",
            "leader skipped",
            "leader undecided",
        ]
        assert [text.get_text() for text in axes.texts] == ["skip", "?"]


def test_what_is_not_there_is_not_drawn() -> None:
    with drawing() as (_, axes):
        assert not life_of_an_operation(axes, reading())
        assert not dag_window(axes, reading())
