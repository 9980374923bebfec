"""What blocks add up to: votes, blame, certificates, the clock, and what is dropped."""

import pytest

from protocol.errors import Misuse, Reason, Rejected
from protocol.ledger.block import reference_to
from protocol.ledger.dag import SKIPPED, Committed, Contradiction, Dag, Tally
from protocol.units import Digest, MemberIndex, Round
from tests.support.dag_builder import Links, Loom, lockstep, make_committee, plain_block


def dag_of(committee, rows):
    dag = Dag(committee)
    for row in rows:
        for block in row:
            assert dag.add(block) == ()
    return dag


def test_a_tally_counts_an_author_once():
    tally = Tally()
    tally.add(0b01, 5)
    tally.add(0b01, 5)
    tally.add(0b10, 2)
    assert tally == Tally(members=0b11, weight=7)


def test_a_leader_that_everybody_refers_to_is_voted_for_certified_and_committed():
    committee = make_committee()
    rows = lockstep(committee, 3)
    dag = dag_of(committee, rows)
    leader = rows[0][committee.leader(Round(1))].digest
    slot = dag.slot(Round(1))
    assert slot.votes == {leader: Tally(0b1111, 4)}
    assert slot.certificates == {leader: Tally(0b1111, 4)}
    assert slot.blame == Tally()
    assert slot.verdict == Committed(leader)
    assert (dag.verdicts_count, dag.highest_verdict) == (1, 1)
    assert dag.slot(Round(2)).verdict is None


def test_a_leader_that_a_quorum_leaves_out_is_skipped():
    committee = make_committee()
    absent = committee.leader(Round(1))
    present = [index for index in range(4) if index != absent]
    dag = dag_of(committee, lockstep(committee, 2, present))
    assert dag.slot(Round(1)).verdict is SKIPPED
    assert dag.slot(Round(1)).blame.weight == 3


def test_an_equivocators_votes_count_once_and_only_one_for_each_block():
    committee = make_committee()
    leader = committee.leader(Round(1))
    voter = next(index for index in range(4) if index != leader)
    loom = Loom(committee)
    row = loom.row(1, (), range(4))
    blocks = [
        loom.weave(voter, 2, row, own=row[voter], time_ms=1),
        loom.weave(voter, 2, row, own=row[voter], time_ms=2),
        loom.weave(voter, 2, [b for b in row if b.block.author != leader], own=row[voter]),
    ]
    dag = dag_of(committee, [row, blocks])
    slot = dag.slot(Round(1))
    assert slot.votes[row[leader].digest] == Tally(1 << voter, 1)
    assert slot.blame == Tally(1 << voter, 1)
    assert dag.variants(MemberIndex(voter), Round(2)) == tuple(blocks)
    assert dag.first(MemberIndex(voter), Round(2)) == blocks[0]
    assert dag.clock_round == 2


def test_weights_decide_not_numbers():
    committee = make_committee((10, 1, 1, 1))
    dag = dag_of(committee, lockstep(committee, 1, [1, 2, 3]))
    assert dag.clock_round == 1
    dag.add(lockstep(committee, 1, [0])[0][0])
    assert dag.clock_round == 2


def test_the_clock_moves_with_a_quorum_of_authors():
    committee = make_committee()
    dag = Dag(committee)
    for block, clock in zip(lockstep(committee, 1)[0], (1, 1, 2, 2), strict=True):
        dag.add(block)
        assert dag.clock_round == clock


def test_a_block_is_not_added_before_its_ancestors_and_these_are_named():
    committee = make_committee()
    rows = lockstep(committee, 2)
    dag = dag_of(committee, [rows[0][:2]])
    block = rows[1][0]
    assert dag.add(block) == (reference_to(rows[0][2]), reference_to(rows[0][3]))
    assert block.digest not in dag
    assert dag.blocks_of_round(Round(2)) == ()
    for ancestor in rows[0][2:]:
        dag.add(ancestor)
    assert dag.add(block) == ()
    assert block.digest in dag


@pytest.mark.parametrize("misstated", [(2, 1), (0, 2)])
def test_a_reference_that_misstates_its_block_is_rejected(misstated):
    committee = make_committee()
    rows = lockstep(committee, 2)
    dag = dag_of(committee, rows)
    author, block_round = misstated
    lie = type(rows[0][0].block.own)(author, block_round, rows[0][0].digest)
    links = Links(reference_to(rows[1][3]), (lie,))
    with pytest.raises(Rejected) as refusal:
        dag.add(plain_block(committee, 3, 3, links))
    assert refusal.value.reason is Reason.BAD_REFERENCE


def test_the_latest_blocks_and_tips_are_known():
    committee = make_committee()
    rows = lockstep(committee, 3, [0, 1, 2])
    dag = dag_of(committee, rows)
    assert dag.tips() == (3, 3, 3, 0)
    assert dag.latest(MemberIndex(0)) == rows[2][0]
    assert dag.latest(MemberIndex(3)) is None
    assert dag.blocks_of_round(Round(2)) == tuple(rows[1])
    assert dag.blocks_of_round(Round(9)) == ()
    assert dag.get(rows[0][0].digest) == rows[0][0]
    assert dag.get(Digest(b"")) is None


def test_dropped_rounds_are_gone_but_the_latest_block_of_a_silent_author_stays():
    committee = make_committee()
    loom = Loom(committee)
    rows = [loom.row(1, (), range(4))]
    for number in range(2, 8):
        rows.append(loom.row(number, rows[-1], [0, 1, 2]))
    dag = dag_of(committee, rows)
    dag.prune(Round(4))
    assert len(dag) == 9
    assert rows[0][3].digest not in dag
    assert dag.latest(MemberIndex(3)) == rows[0][3]
    assert dag.vertex(rows[4][0].digest).ancestors[0].ancestors == ()
    assert all(leader_round > 4 for leader_round in dag._slots)


def test_a_block_on_dropped_ancestors_needs_none_of_them():
    committee = make_committee()
    rows = lockstep(committee, 8)
    late = rows[4].pop()
    dag = dag_of(committee, rows[:5])
    dag.prune(Round(4))
    assert dag.add(late) == ()
    assert dag.slot(Round(4)).votes == {}
    with pytest.raises(Misuse):
        dag.add(rows[3][0])


def test_votes_are_missing_only_while_they_could_still_decide():
    committee = make_committee()
    leader = committee.leader(Round(1))
    others = [index for index in range(4) if index != leader]
    loom = Loom(committee)
    row = loom.row(1, (), range(4))
    without = [block for block in row if block.block.author != leader]
    dag = dag_of(committee, [row])
    assert not dag.votes_are_missing(Round(-1))
    assert not dag.votes_are_missing(Round(1))
    dag.add(loom.weave(leader, 2, row))
    assert dag.votes_are_missing(Round(1))
    dag.add(loom.weave(others[0], 2, row))
    dag.add(loom.weave(others[1], 2, without))
    assert dag.votes_are_missing(Round(1))
    dag.add(loom.weave(others[2], 2, row))
    assert not dag.votes_are_missing(Round(1))


def test_votes_are_given_up_once_blame_rules_a_quorum_out():
    committee = make_committee()
    leader = committee.leader(Round(1))
    others = [index for index in range(4) if index != leader]
    loom = Loom(committee)
    row = loom.row(1, (), range(4))
    without = [block for block in row if block.block.author != leader]
    votes = [loom.weave(leader, 2, row)]
    votes += [loom.weave(index, 2, without) for index in others[:2]]
    assert not dag_of(committee, [row, votes]).votes_are_missing(Round(1))


def test_two_certified_blocks_in_one_slot_are_a_contradiction():
    committee = make_committee(beacon=Digest(b"\x04" * 32))
    leader = committee.leader(Round(1))
    loom = Loom(committee)
    first = loom.row(1, (), range(4))
    twin = loom.weave(leader, 1, time_ms=7)
    other = [twin if block.block.author == leader else block for block in first]
    voters = [index for index in range(4) if index != leader]
    one = [loom.weave(index, 2, first, own=first[index]) for index in voters]
    two = [loom.weave(index, 2, other, own=first[index], time_ms=7) for index in voters]
    tops = [
        loom.weave(voters[0], 3, one, own=one[0]),
        loom.weave(voters[1], 3, two, own=two[1]),
    ]
    dag = dag_of(committee, [[*first, twin], one, two, tops])
    assert dag.contradiction == Contradiction(
        Round(1), Committed(first[leader].digest), Committed(twin.digest)
    )


def test_a_skip_and_a_certificate_of_one_slot_are_a_contradiction():
    committee = make_committee()
    leader = committee.leader(Round(1))
    voters = [index for index in range(4) if index != leader]
    loom = Loom(committee)
    row = loom.row(1, (), range(4))
    without = [block for block in row if block.block.author != leader]
    votes = [loom.weave(index, 2, row, own=row[index]) for index in voters]
    blames = [loom.weave(index, 2, without, own=row[index], time_ms=7) for index in voters]
    top = loom.weave(voters[0], 3, votes, own=votes[0])
    expected = {SKIPPED, Committed(row[leader].digest)}
    for order in ([row, votes, blames, [top]], [row, votes, [top], blames]):
        found = dag_of(committee, order).contradiction
        assert found is not None
        assert {found.first, found.second} == expected


def test_a_direct_verdict_against_an_indirect_one_is_a_contradiction():
    committee = make_committee()
    rows = lockstep(committee, 3)
    dag = dag_of(committee, rows[:2])
    dag.settle(Round(1), SKIPPED)
    for block in rows[2]:
        dag.add(block)
    leader = rows[0][committee.leader(Round(1))].digest
    assert dag.contradiction == Contradiction(Round(1), SKIPPED, Committed(leader))
    assert dag.slot(Round(1)).verdict is SKIPPED
