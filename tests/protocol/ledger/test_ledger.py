"""The ledger as a whole: blocks in any order, the same commits out."""

import random
from collections import Counter
from itertools import chain

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol.errors import Reason, Rejected
from protocol.ledger.dag import Committed, Contradiction
from protocol.ledger.ledger import Acceptance
from protocol.parameters import minimal
from protocol.units import Round
from tests.support.dag_builder import (
    Loom,
    commits_of,
    lockstep,
    make_committee,
    make_ledger,
)
from tests.support.dag_fuzz import Shape, draw_dag, feed

ROOMY = replace(minimal(), rounds_ahead_max=1_000)


def test_a_lockstep_network_commits_every_leader_and_every_block():
    committee = make_committee()
    rows = lockstep(committee, 40)
    ledger = make_ledger(committee)
    commits = commits_of(ledger, chain.from_iterable(rows))
    assert [commit.leader_round for commit in commits] == list(range(1, 39))
    ordered = [block for commit in commits for block in commit.blocks]
    assert len(set(ordered)) == len(ordered)
    assert {block for row in rows[:37] for block in row} <= set(ordered)
    assert ledger.last_commit is not None
    assert ledger.last_commit.digest == commits[-1].digest
    assert (ledger.clock_round, ledger.next_leader_round) == (41, 39)
    assert ledger.gc_round == 38 - minimal().gc_depth_rounds
    assert ledger.paths.direct_commits == 38
    assert ledger.broken is None


def test_what_the_ledger_keeps_does_not_grow():
    committee = make_committee()
    rows = lockstep(committee, 150)
    ledger = make_ledger(committee)
    sizes = []
    for row in rows:
        commits_of(ledger, row)
        dag = ledger.dag
        sizes.append((len(dag), len(dag._slots), len(dag._rows), len(ledger._ordering._delivered)))
    assert sizes[60] == sizes[149]


def test_a_known_or_stale_block_changes_nothing():
    committee = make_committee()
    rows = lockstep(committee, 40)
    ledger = make_ledger(committee)
    commits_of(ledger, chain.from_iterable(rows))
    assert ledger.accept(rows[39][0]) == Acceptance()
    assert ledger.accept(rows[0][0]) == Acceptance()


def test_a_block_that_waits_tells_what_it_waits_for():
    committee = make_committee()
    rows = lockstep(committee, 2)
    ledger = make_ledger(committee)
    wanted = tuple(block.digest for block in rows[0])
    assert set(ledger.accept(rows[1][0]).missing) == set(wanted)
    assert ledger.accept(rows[1][0]) == Acceptance()
    last = [ledger.accept(block) for block in rows[0]][-1]
    assert last == Acceptance(accepted=(rows[0][3], rows[1][0]))
    assert ledger.missing() == ()


def test_an_equivocation_is_reported_once_even_while_its_blocks_wait():
    committee = make_committee()
    loom = Loom(committee)
    row = loom.row(1, (), range(4))
    twins = [loom.weave(0, 2, row, own=row[0], time_ms=time) for time in (1, 2)]
    for blocks in ([*row, *twins], [*twins, *row]):
        ledger = make_ledger(committee)
        seen = [pair for block in blocks for pair in ledger.accept(block).equivocations]
        assert seen == [tuple(twins)]


def test_after_a_contradiction_blocks_are_taken_but_nothing_is_final():
    committee = make_committee()
    leader = committee.leader(Round(1))
    loom = Loom(committee)
    first = loom.row(1, (), range(4))
    twin = loom.weave(leader, 1, time_ms=7)
    other = [twin if block.block.author == leader else block for block in first]
    voters = [index for index in range(4) if index != leader]
    one = [loom.weave(index, 2, first, own=first[index]) for index in voters]
    two = [loom.weave(index, 2, other, own=first[index], time_ms=7) for index in voters]
    tops = [loom.weave(voters[0], 3, one, own=one[0]), loom.weave(voters[1], 3, two, own=two[1])]
    rows = [[*tops, loom.weave(voters[2], 3, one, own=one[2])]]
    for number in range(4, 9):
        rows.append(loom.row(number, rows[-1], voters))
    ledger = make_ledger(committee)
    blocks = [*first, twin, *one, *two, *chain.from_iterable(rows)]
    assert commits_of(ledger, blocks) == []
    assert len(ledger.dag) == len(blocks)
    assert ledger.broken == Contradiction(
        Round(1), Committed(first[leader].digest), Committed(twin.digest)
    )


def causal_order(blocks, ranks):
    """The order in which ready blocks of the lowest rank come first."""
    placed, waiting, order = set(), list(zip(ranks, blocks, strict=True)), []
    while waiting:
        ready = [
            (rank, place)
            for place, (rank, block) in enumerate(waiting)
            if all(
                reference.round == 0 or reference.digest in placed
                for reference in (block.block.own, *block.block.parents, *block.block.weak)
            )
        ]
        _, block = waiting.pop(min(ready)[1])
        placed.add(block.digest)
        order.append(block)
    return order


def ranked(dag, draw):
    """A causal order of all blocks of a DAG, as the draw has it."""
    return causal_order(dag.blocks, [draw.getrandbits(16) for _ in dag.blocks])


def check_refused(dag, ledger, refused):
    """What is missing is there in two other variants at least, and nothing accepted needs it."""
    accepted = [block for block in dag.blocks if block.digest in ledger.dag]
    assert {*refused} == {block.digest for block in dag.blocks} - {one.digest for one in accepted}
    slots = Counter((block.block.author, block.block.round) for block in accepted)
    assert all(slots[one.block.author, one.block.round] >= 2 for one in refused.values())
    assert not any(digest in refused for one in accepted for digest in dag.ancestors[one.digest])


def check_commits(dag, ledger, commits, expected):
    """Commits are those of the accepted blocks in any order, and no two ledgers contradict."""
    again = make_ledger(dag.committee, ROOMY)
    accepted = [block for block in dag.blocks if block.digest in ledger.dag]
    taken = [again.accept(block, is_stored=True) for block in accepted]
    assert [commit for one in taken for commit in one.commits] == commits
    known = min(len(commits), len(expected))
    assert commits[:known] == expected[:known]
    assert ledger.broken is None


@example(seed=10976, draw=random.Random(1))  # noqa: S311  a third variant comes before its time
@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), draw=st.randoms(use_true_random=False))
def test_commits_depend_on_the_accepted_blocks_alone_in_any_causal_order(seed, draw):
    dag = draw_dag(seed, Shape(rounds=9))
    expected = list(feed(make_ledger(dag.committee, ROOMY), dag.blocks))
    ledger, refused = make_ledger(dag.committee, ROOMY), {}
    commits = list(feed(ledger, ranked(dag, draw), refused))
    check_refused(dag, ledger, refused)
    check_commits(dag, ledger, commits, expected)


def test_a_third_variant_that_nobody_wants_yet_is_refused_and_less_is_decided_without_it():
    dag = draw_dag(10976, Shape(rounds=9))
    reference, first = make_ledger(dag.committee, ROOMY), {}
    expected = list(feed(reference, dag.blocks, first))
    ledger, other = make_ledger(dag.committee, ROOMY), {}
    commits = list(feed(ledger, ranked(dag, random.Random(1)), other))  # noqa: S311
    assert (len(commits), len(expected)) == (6, 7)
    (one,), (another,) = first.values(), other.values()
    assert {(found.block.author, found.block.round) for found in (one, another)} == {(2, 9)}
    with pytest.raises(Rejected) as refusal:
        ledger.accept(another)
    assert refusal.value.reason is Reason.TOO_MANY_VARIANTS
    last = ledger.accept(another, is_stored=True)
    assert [*commits, *last.commits] == expected


@example(seed=65535, draw=random.Random(1))  # noqa: S311  in causal order one block is refused
@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), draw=st.randoms(use_true_random=False))
def test_any_order_at_all_gives_the_same_commits_once_refused_blocks_are_sent_again(seed, draw):
    dag = draw_dag(seed, Shape(rounds=9))
    expected = list(feed(make_ledger(dag.committee, ROOMY), dag.blocks))
    order = list(dag.blocks)
    draw.shuffle(order)
    ledger = make_ledger(dag.committee, ROOMY)
    commits, reasons = [], set()
    for _ in range(30):
        for block in order:
            try:
                commits += ledger.accept(block).commits
            except Rejected as error:
                reasons.add(error.reason)
        order = [block for block in dag.blocks if block.digest not in ledger.dag]
    assert reasons <= {Reason.TOO_MANY_PENDING, Reason.TOO_MANY_VARIANTS}
    check_commits(dag, ledger, commits, expected)
