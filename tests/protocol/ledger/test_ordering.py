"""What a committed leader orders: which blocks, in what order, when, and with what beacon."""

import pytest

from protocol.ledger.beacon import next_beacon
from protocol.ledger.dag import Dag
from protocol.ledger.ordering import CommitSummary, Ordering, commit_digest
from protocol.units import Digest, MemberIndex, Round
from tests.support.dag_builder import BEACON, OUTPUT, Loom, lockstep, make_committee

DEPTH = 24


def ordering_over(committee, blocks, depth=DEPTH):
    dag = Dag(committee)
    for block in blocks:
        assert dag.add(block) == ()
    return Ordering(dag, depth)


def by_position(blocks):
    return tuple(sorted(blocks, key=lambda one: (one.block.round, one.block.author, one.digest)))


def test_a_commit_holds_everything_new_in_the_leaders_history_in_order():
    committee = make_committee()
    rows = lockstep(committee, 4)
    ordering = ordering_over(committee, [block for row in rows for block in row])
    first = ordering.commit(rows[1][2].digest)
    assert first.blocks == (*by_position(rows[0]), rows[1][2])
    second = ordering.commit(rows[2][0].digest)
    rest = [block for block in rows[1] if block is not rows[1][2]]
    assert second.blocks == (*by_position(rest), rows[2][0])
    assert (first.index, second.index) == (1, 2)


def test_a_commit_chains_digest_beacon_and_time():
    committee = make_committee()
    rows = lockstep(committee, 3)
    ordering = ordering_over(committee, [block for row in rows for block in row])
    one = ordering.commit(rows[1][0].digest)
    two = ordering.commit(rows[2][0].digest)
    digests = [block.digest for block in two.blocks]
    assert two.digest == commit_digest(one.digest, two.index, rows[2][0].digest, digests)
    assert one.beacon == next_beacon(BEACON, rows[1][0].output, Round(2))
    assert two.beacon == next_beacon(one.beacon, rows[2][0].output, Round(3))
    assert OUTPUT in {block.output for row in rows for block in row}
    assert ordering.last == CommitSummary(2, Round(3), two.digest, two.time_ms, two.beacon)


def test_time_is_the_weighted_median_of_the_parents():
    committee = make_committee((1, 1, 5, 1))
    loom = Loom(committee)
    row = [loom.weave(author, 1, time_ms=time) for author, time in enumerate((90, 10, 40, 70))]
    leader = loom.weave(0, 2, row)
    ordering = ordering_over(committee, [*row, leader])
    assert ordering.commit(leader.digest).time_ms == 40


@pytest.mark.parametrize(("times", "median"), [((1, 2, 3, 4), 2), ((5, 9, 9, 9), 9)])
def test_time_is_the_lower_median_of_equal_parents(times, median):
    committee = make_committee()
    loom = Loom(committee)
    row = [loom.weave(author, 1, time_ms=time) for author, time in enumerate(times)]
    leader = loom.weave(0, 2, row)
    assert ordering_over(committee, [*row, leader]).commit(leader.digest).time_ms == median


def test_time_never_stands_still():
    committee = make_committee()
    loom = Loom(committee)
    rows = [[loom.weave(author, 1, time_ms=5) for author in range(4)]]
    for number in (2, 3):
        parents = rows[-1]
        rows.append([loom.weave(author, number, parents, time_ms=5) for author in range(4)])
    ordering = ordering_over(committee, [block for row in rows for block in row])
    times = [ordering.commit(row[0].digest).time_ms for row in rows]
    assert times == [1, 5, 6]


def equivocation(committee):
    """Two variants of one author, each in the history of another leader."""
    loom = Loom(committee)
    row = loom.row(1, (), range(4))
    twin = loom.weave(3, 1, time_ms=7)
    one = loom.weave(0, 2, row)
    two = loom.weave(1, 2, [*row[:3], twin])
    top = loom.weave(2, 3, [one, two])
    return [*row, twin, one, two, top], row[3], twin, (one, two, top)


def test_the_first_ordered_variant_counts_and_the_second_is_void_and_noted_once():
    committee = make_committee()
    blocks, first, twin, (one, two, top) = equivocation(committee)
    ordering = ordering_over(committee, blocks)
    commit = ordering.commit(one.digest)
    assert first in commit.blocks
    assert commit.equivocations == ()
    later = ordering.commit(two.digest)
    assert later.blocks == (two,)
    assert later.equivocations == ((MemberIndex(3), Round(1)),)
    assert twin not in later.blocks
    assert ordering.commit(top.digest).equivocations == ()


def test_of_two_variants_in_one_commit_the_smaller_digest_counts():
    committee = make_committee()
    blocks, first, twin, (_, _, top) = equivocation(committee)
    commit = ordering_over(committee, blocks).commit(top.digest)
    smaller, larger = sorted((first, twin), key=lambda block: block.digest)
    assert smaller in commit.blocks
    assert larger not in commit.blocks
    assert commit.equivocations == ((MemberIndex(3), Round(1)),)


def test_a_block_below_the_horizon_is_never_ordered():
    committee = make_committee()
    loom = Loom(committee)
    rows = [loom.row(1, (), range(4))]
    late = rows[0].pop()
    for number in range(2, 9):
        rows.append(loom.row(number, rows[-1], range(3)))
    returned = loom.weave(3, 8, rows[6], own=late)
    leader = loom.weave(0, 9, [rows[7][1], returned])
    blocks = [late, *(block for row in rows for block in row), returned, leader]
    near = ordering_over(committee, blocks, depth=4)
    assert late not in near.commit(leader.digest).blocks
    assert near.gc_round == 5
    assert late in ordering_over(committee, blocks).commit(leader.digest).blocks


def test_the_memory_of_what_was_delivered_is_bounded_by_the_horizon():
    committee = make_committee()
    rows = lockstep(committee, 30)
    ordering = ordering_over(committee, [block for row in rows for block in row], depth=5)
    for row in rows:
        ordering.commit(row[0].digest)
    assert sorted(ordering._delivered) == [26, 27, 28, 29, 30]


def test_commit_digests_bind_the_order():
    one, two = Digest(b"\x01" * 32), Digest(b"\x02" * 32)
    assert commit_digest(one, 1, one, [one, two]) != commit_digest(one, 1, one, [two, one])
    assert commit_digest(one, 1, one, [one]) != commit_digest(one, 2, one, [one])
