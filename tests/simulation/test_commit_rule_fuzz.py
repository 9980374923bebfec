"""Every view of a random DAG with the most equivocators that are tolerated commits alike."""

from collections import Counter

import pytest

from protocol.ledger.block import open_block
from protocol.parameters import minimal
from tests.simulation.dags import survey
from tests.support.dag_attacks import TRUSTING, unsigned_bytes
from tests.support.dag_builder import NETWORK
from tests.support.dag_fuzz import Shape, disagreement, draw_dag, draw_views, judge, tolerated

PATHS = ("direct_commits", "direct_skips", "indirect_commits", "indirect_skips")

SAMPLES = [
    (Shape(members=4), 1_800),
    (Shape(members=7), 160),
    (Shape(members=10), 50),
    (Shape(members=16, rounds=9), 20),
    (Shape(members=5, churn_profile=True), 40),
    (Shape(members=6, churn_profile=True), 120),
]


@pytest.mark.parametrize(("shape", "count"), SAMPLES, ids=str)
def test_no_two_views_of_a_dag_disagree(shape, count):
    happened, failing = survey(range(count), shape)
    assert failing == []
    assert happened["commits"] > 0
    if tolerated(draw_dag(0, shape).committee) and shape.members <= 10:
        assert happened["dags with equivocation"] > count // 2
        assert all(happened[path] > 0 for path in PATHS)
        assert happened["void blocks noted"] > 0


def test_every_drawn_block_is_valid():
    for seed in range(20):
        dag = draw_dag(seed, Shape(members=4 + 3 * (seed % 2)))
        for block in dag.blocks:
            raw = unsigned_bytes(block)
            opened = open_block(raw, dag.committee, NETWORK, minimal(), TRUSTING)
            assert opened.digest == block.digest


def test_only_equivocators_have_variants():
    seen = 0
    for seed in range(40):
        dag = draw_dag(seed, Shape())
        assert len(dag.byzantine) == tolerated(dag.committee) == 1
        counts = Counter((block.block.author, block.block.round) for block in dag.blocks)
        twice = {author for (author, _), count in counts.items() if count > 1}
        assert twice <= set(dag.byzantine)
        seen += len(twice)
    assert seen > 20


def test_every_view_contains_the_ancestors_of_its_blocks():
    dag = draw_dag(5, Shape())
    views = draw_views(dag, 5)
    assert len({len(view) for view in views}) > 4
    for view in views:
        here = {block.digest for block in view}
        assert all(set(dag.ancestors[digest]) <= here for digest in here)


def test_the_search_notices_more_byzantine_weight_than_is_tolerated():
    outcomes = {disagreement(judge(seed, Shape(excess=1))[1]) for seed in range(150)}
    assert "alarm" in outcomes
