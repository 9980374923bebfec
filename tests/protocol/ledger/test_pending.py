"""The wait for ancestors, and its limits."""

import pytest
from msgspec.structs import replace

from protocol.errors import Reason, Rejected
from protocol.ledger.block import reference_to
from protocol.ledger.dag import Dag
from protocol.ledger.pending import MISSING_MAX, Pending
from protocol.messages import Reference
from protocol.parameters import minimal
from protocol.units import Digest, MemberIndex, Round
from tests.support.dag_builder import Links, Loom, lockstep, make_committee, plain_block


def pending_over(committee, blocks=(), rounds_ahead_max=50):
    dag = Dag(committee)
    for block in blocks:
        assert dag.add(block) == ()
    return dag, Pending(dag, replace(minimal(), rounds_ahead_max=rounds_ahead_max))


def take(dag, pending, block):
    """Does with a block what the ledger does; returns it and what waited for it, if it need not."""
    author, block_round = MemberIndex(block.block.author), Round(block.block.round)
    known = (*dag.variants(author, block_round), *pending.variants(author, block_round))
    pending.check(block, len(known))
    missing = dag.add(block)
    if missing:
        pending.insert(block, missing)
        return ()
    return (block, *pending.resolve(block))


def reason_for(dag, pending, block):
    with pytest.raises(Rejected) as refusal:
        take(dag, pending, block)
    return refusal.value.reason


def test_a_block_whose_ancestors_are_here_does_not_wait():
    committee = make_committee()
    rows = lockstep(committee, 2)
    dag, pending = pending_over(committee, rows[0])
    assert take(dag, pending, rows[1][0]) == (rows[1][0],)
    assert len(pending) == 0


def test_a_waiting_chain_is_released_in_causal_order_by_its_first_block():
    committee = make_committee((1,))
    blocks = [row[0] for row in lockstep(committee, 3)]
    dag, pending = pending_over(committee)
    assert take(dag, pending, blocks[2]) == ()
    assert pending.missing() == (blocks[1].digest,)
    assert take(dag, pending, blocks[1]) == ()
    assert pending.missing() == (blocks[0].digest,)
    assert take(dag, pending, blocks[0]) == tuple(blocks)
    assert pending.missing() == ()
    assert len(pending) == 0


def test_a_block_waits_for_all_of_its_ancestors():
    committee = make_committee()
    rows = lockstep(committee, 2)
    dag, pending = pending_over(committee)
    assert take(dag, pending, rows[1][0]) == ()
    for block in rows[0][:3]:
        assert take(dag, pending, block) == (block,)
    assert take(dag, pending, rows[0][3]) == (rows[0][3], rows[1][0])


def test_a_block_too_far_ahead_is_refused():
    committee = make_committee((1,))
    blocks = [row[0] for row in lockstep(committee, 5)]
    dag, pending = pending_over(committee, rounds_ahead_max=3)
    assert take(dag, pending, blocks[3]) == ()
    assert reason_for(dag, pending, blocks[4]) is Reason.TOO_FAR_AHEAD


def variants(count):
    committee = make_committee()
    loom = Loom(committee)
    row = loom.row(1, (), range(3))
    return committee, loom, row, [loom.weave(3, 1, time_ms=time) for time in range(count)]


def test_a_third_variant_is_refused_unless_it_is_wanted():
    committee, loom, row, copies = variants(3)
    dag, pending = pending_over(committee, [*row, *copies[:2]])
    assert reason_for(dag, pending, copies[2]) is Reason.TOO_MANY_VARIANTS
    child = loom.weave(0, 2, [row[1], copies[2]], own=row[0])
    assert take(dag, pending, child) == ()
    assert pending.missing() == (copies[2].digest,)
    assert take(dag, pending, copies[2]) == (copies[2], child)
    assert child.digest not in dag, "who adds it is the ledger's concern"


def test_waiting_variants_count_too():
    committee, loom, row, copies = variants(1)
    dag, pending = pending_over(committee)
    upper = [loom.weave(0, 2, [*row, copies[0]], own=row[0], time_ms=t) for t in range(3)]
    assert [take(dag, pending, block) for block in upper[:2]] == [(), ()]
    assert reason_for(dag, pending, upper[2]) is Reason.TOO_MANY_VARIANTS
    assert list(pending.variants(MemberIndex(0), Round(2))) == upper[:2]


def test_an_author_with_too_many_waiting_blocks_keeps_those_nearest_to_the_past():
    committee = make_committee((1,))
    blocks = [row[0] for row in lockstep(committee, 6)]
    dag, pending = pending_over(committee)
    assert take(dag, pending, blocks[4]) == ()
    assert take(dag, pending, blocks[2]) == ()
    assert reason_for(dag, pending, blocks[5]) is Reason.TOO_MANY_PENDING
    assert take(dag, pending, blocks[3]) == ()
    assert len(pending) == 2
    assert blocks[4].digest not in pending
    assert pending.missing() == (blocks[1].digest,)
    assert take(dag, pending, blocks[1]) == ()
    assert take(dag, pending, blocks[0]) == tuple(blocks[:3])
    assert len(pending) == 0


def test_wishes_for_blocks_that_do_not_exist_do_not_crowd_out_others():
    committee = make_committee((1,) * 32)
    rows = lockstep(committee, 2)
    dag, pending = pending_over(committee, rows[0][:31])
    for number in range(40):
        digests = [Digest(bytes([number, author]) * 16) for author in range(22)]
        nowhere = tuple(Reference(author, number + 1, digests[author]) for author in range(22))
        links = Links(Reference(30, number + 1, Digest(bytes(32))), nowhere)
        take(dag, pending, plain_block(committee, 30, number + 2, links))
    assert take(dag, pending, rows[1][0]) == ()
    assert rows[0][31].digest in pending.missing()
    assert len(pending.missing()) == MISSING_MAX // 32 + 1


def test_a_refused_block_leaves_no_wish_behind():
    committee = make_committee((1,))
    blocks = [row[0] for row in lockstep(committee, 6)]
    dag, pending = pending_over(committee)
    take(dag, pending, blocks[2])
    take(dag, pending, blocks[1])
    reason_for(dag, pending, blocks[4])
    assert pending.missing() == (blocks[0].digest,)


def a_liar(committee, rows):
    """A block that gives an ancestor's digest under the name of another author."""
    lie = Reference(1, 1, rows[0][0].digest)
    links = Links(reference_to(rows[0][3]), (lie, reference_to(rows[0][2])))
    return plain_block(committee, 3, 2, links)


def test_a_block_that_misstates_its_ancestor_is_dropped_when_the_ancestor_comes():
    committee = make_committee()
    rows = lockstep(committee, 2)
    liar = a_liar(committee, rows)
    dag, pending = pending_over(committee, rows[0][1:])
    assert take(dag, pending, liar) == ()
    assert take(dag, pending, rows[0][0]) == (rows[0][0],)
    assert len(pending) == 0
    assert pending.missing() == ()


def test_a_block_that_misstates_a_known_ancestor_is_refused():
    committee = make_committee()
    rows = lockstep(committee, 2)
    dag, pending = pending_over(committee, rows[0])
    assert reason_for(dag, pending, a_liar(committee, rows)) is Reason.BAD_REFERENCE


def test_nothing_below_a_new_horizon_is_waited_for():
    committee = make_committee()
    rows = lockstep(committee, 4)
    nowhere = Reference(3, 1, Digest(b"\x00" * 32))
    links = Links(reference_to(rows[1][0]), tuple(map(reference_to, rows[1][1:3])), (nowhere,))
    hopeful = plain_block(committee, 0, 3, links)
    upper = plain_block(committee, 0, 4, Links(reference_to(hopeful), ()))
    stale = plain_block(committee, 2, 1, Links(Reference(2, 1, Digest(b"\x01" * 32)), ()))
    dag, pending = pending_over(committee, [*rows[0], *rows[1]])
    for block in (upper, hopeful, stale):
        assert take(dag, pending, block) == ()
    dag.prune(Round(1))
    assert pending.release(Round(1)) == (hopeful, upper)
    assert len(pending) == 0
    assert pending.missing() == ()
