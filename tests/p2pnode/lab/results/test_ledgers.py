"""Figures of blocks, samples and links by hand."""

from p2pnode.lab.results.ledgers import (
    Carriage,
    Divergence,
    Stale,
    Width,
    carriage,
    dag_width,
    divergence,
    lag_shares,
    longest_silence,
    stale_blocks,
)
from p2pnode.lab.results.schema import Cell
from tests.p2pnode.lab.results.builders import reading, sample

VOTES = [
    {"round": 1, "leader": 0, "verdict": "committed", "commit_index": 1, "node": 0},
    {"round": 1, "leader": 0, "verdict": "committed", "commit_index": 1, "node": 1},
    {"round": 2, "leader": 1, "verdict": "committed", "commit_index": 2, "node": 0},
    {"round": 2, "leader": 1, "verdict": "undecided", "node": 1},
]
BLOCKS = [
    {"round": 1, "author": 0, "accepted_nodes": 2, "commit_index": 1},
    {"round": 1, "author": 1, "accepted_nodes": 1},
    {"round": 2, "author": 0, "accepted_nodes": 2, "commit_index": 2},
    {"round": 2, "author": 5, "accepted_nodes": 2},
    {"round": 2, "author": 1, "accepted_nodes": 0},
]
SERIES = [
    sample(100.0, 0, blocks_union=1, blocks_common=0, divergence=1.0),
    sample(100.0, 1, blocks_union=1, blocks_common=0, divergence=1.0),
    sample(200.0, 0, blocks_union=4, blocks_common=3, divergence=0.25, final_index=4),
    sample(200.0, 1, blocks_union=4, blocks_common=3, divergence=0.25, final_index=1),
    sample(300.0, 0, blocks_union=9, blocks_common=9, final_index=4, blocks_received=6),
    sample(300.0, 1, blocks_union=9, blocks_common=9, is_live=False, blocks_received=4),
]


def test_a_block_is_stale_when_every_node_is_past_it_and_no_commit_ordered_it() -> None:
    assert stale_blocks(reading(votes=VOTES, blocks=BLOCKS)) == Stale(2, 1, 0.5)


def test_divergence_starts_with_the_first_commit() -> None:
    assert divergence(reading(series=SERIES)) == Divergence(0.125, 0.25, 0.0, 1, 1)
    assert divergence(reading()) == Divergence(0.0, 0.0, 0.0, 0, 0)


def test_a_lag_counts_live_nodes_only() -> None:
    assert lag_shares(reading(series=SERIES)) == {1: 0.2, 3: 0.2, 10: 0.0}


def test_the_width_of_a_round_is_the_blocks_that_anybody_took_in() -> None:
    assert dag_width(reading(blocks=BLOCKS)) == Width(2.0, 2)


def test_carriage_counts_blocks_that_came_from_another_node() -> None:
    links = [
        {"source": 0, "target": 1, "messages": 9, "size_bytes": 900, "lost": 1},
        {"source": 1, "target": 0, "messages": 3, "size_bytes": 600, "lost": 0},
    ]
    found = carriage(reading(blocks=BLOCKS, series=SERIES, links=links))
    assert found == Carriage(12, 1_500, 4, 375.0, 2.5, 1)


def test_what_no_link_reported_is_unknown() -> None:
    assert carriage(reading(blocks=BLOCKS)).bytes_per_delivery is None
    assert carriage(reading()).copies_per_delivery is None


def test_the_longest_silence_counts_new_commits_only_and_reaches_to_the_end() -> None:
    def vote(index: int, node: int, decided_ms: float) -> dict[str, Cell]:
        return {"commit_index": index, "node": node, "decided_ms": decided_ms}

    series = [sample(1_000.0, 0), sample(9_000.0, 0)]
    votes = [vote(1, 0, 1_500.0), vote(2, 0, 6_000.0), vote(1, 1, 4_000.0), vote(2, 1, 7_000.0)]
    assert longest_silence(reading(votes=votes, series=series)) == 4_500.0
    assert longest_silence(reading(votes=votes[:1], series=series)) == 7_500.0
    assert longest_silence(reading(series=series)) == 8_000.0


def test_where_nobody_told_who_took_in_what_nothing_is_made_up() -> None:
    silent = dict.fromkeys(("blocks_union", "blocks_common", "blocks_received", "divergence"))
    series = [sample(100.0, node, final_index=1) | silent for node in (0, 1)]
    run = reading(blocks=[{"round": 1, "author": 0, "commit_index": 1}], series=series)
    assert (divergence(run), dag_width(run)) == (None, None)
    assert carriage(run) == Carriage(None, None, None, None, None, None)
