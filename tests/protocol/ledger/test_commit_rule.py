"""The four ways to decide a slot, and what an undecided one holds up."""

import pytest

from protocol.ledger.commit_rule import CommitRule, DecidedSlot, PathCounts
from protocol.ledger.dag import SKIPPED, Committed, Dag
from protocol.units import Digest, Round
from tests.support.dag_builder import Loom, lockstep, make_committee

FIRST = Round(1)


def rule_over(committee, blocks):
    dag = Dag(committee)
    for block in blocks:
        assert dag.add(block) == ()
    return CommitRule(dag)


def test_nothing_is_decided_before_there_are_certificates():
    committee = make_committee()
    rule = rule_over(committee, [block for row in lockstep(committee, 2) for block in row])
    assert rule.advance() == ()
    assert rule.next_round == 1


@pytest.mark.parametrize("members", [1, 4, 7, 16])
def test_with_constant_delay_each_leader_is_final_exactly_three_rounds_after_it_was_proposed(
    members,
):
    committee = make_committee((1,) * members)
    rows = lockstep(committee, 12)
    dag = Dag(committee)
    rule = CommitRule(dag)
    for number, row in enumerate(rows, 1):
        decided = []
        for block in row:
            assert dag.add(block) == ()
            decided += rule.advance()
        # Blocks of this round left one delay ago, the leader two rounds below three delays ago.
        leader_round = Round(number - 2)
        if leader_round < 1:
            assert decided == []
            continue
        leader = rows[leader_round - 1][committee.leader(leader_round)]
        assert decided == [DecidedSlot(leader_round, Committed(leader.digest), True)]


def test_a_dead_leader_is_skipped_one_round_later_and_holds_nothing_up():
    committee = make_committee()
    dead = committee.leader(Round(2))
    rows = lockstep(committee, 6, [index for index in range(4) if index != dead])
    rule = rule_over(committee, [block for row in rows for block in row])
    decided = {slot.round: slot for slot in rule.advance()}
    for number in range(1, 5):
        leader = committee.leader(Round(number))
        expected = SKIPPED
        if leader != dead:
            block = next(one for one in rows[number - 1] if one.block.author == leader)
            expected = Committed(block.digest)
        assert decided[Round(number)] == DecidedSlot(Round(number), expected, True)


def undecided_first_slot(committee, certifying):
    """A first slot with 2 votes and 2 blames, or with 3 votes of which one block knows."""
    leader = committee.leader(FIRST)
    others = [index for index in range(4) if index != leader]
    loom = Loom(committee)
    first = loom.row(1, (), range(4))
    without = [block for block in first if block.block.author != leader]
    voters = [leader, *others[:2]] if certifying else [leader, others[0]]
    second = [loom.weave(i, 2, first if i in voters else without) for i in range(4)]
    if certifying:
        # Two blocks meet all three votes and certify, too few to commit; two miss one vote.
        missed = [block for block in second if block.block.author != voters[2]]
        rows = [(second if i in voters[:2] else missed) for i in range(4)]
        rows[voters[2]] = [one for one in second if one.block.author != voters[1]]
        third = [loom.weave(i, 3, rows[i]) for i in range(4)]
    else:
        third = loom.row(3, second, range(4))
    above = [first, second, third]
    for number in range(4, 8):
        above.append(loom.row(number, above[-1], range(4)))
    return above, first[leader]


@pytest.mark.parametrize("certifying", [True, False])
def test_an_anchor_decides_a_slot_that_quorums_leave_open(certifying):
    committee = make_committee()
    rows, leader = undecided_first_slot(committee, certifying)
    dag = Dag(committee)
    rule = CommitRule(dag)
    for row in rows[:5]:
        for block in row:
            assert dag.add(block) == ()
    assert dag.slot(FIRST).verdict is None
    assert rule.advance() == ()
    assert dag.slot(Round(3)).verdict is not None
    for block in rows[5]:
        assert dag.add(block) == ()
    decided = rule.advance()
    verdict = Committed(leader.digest) if certifying else SKIPPED
    assert decided[0] == DecidedSlot(FIRST, verdict, False)
    assert [slot.round for slot in decided] == [1, 2, 3, 4]
    indirect = PathCounts(
        direct_commits=3, indirect_commits=int(certifying), indirect_skips=int(not certifying)
    )
    assert rule.paths == indirect


def test_a_slot_is_decided_once():
    committee = make_committee()
    rule = rule_over(committee, [block for row in lockstep(committee, 5) for block in row])
    assert [slot.round for slot in rule.advance()] == [1, 2, 3]
    assert rule.advance() == ()


def test_another_beacon_draws_other_leaders():
    drawn = {
        tuple(make_committee(beacon=Digest(bytes([i]) * 32)).leader(Round(r)) for r in range(9))
        for i in range(5)
    }
    assert len(drawn) == 5
