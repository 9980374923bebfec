"""Chains of operations on their way through a network: order, turns, conflicts and restarts."""

from protocol import effects as fx
from protocol import events as ev
from protocol.facts import OperationApplied
from protocol.ledger.pool import TURN_ROUNDS
from protocol.messages import Transfer
from protocol.units import CREDIT, MILLISECOND, SECOND
from tests.support.core_group import CoreGroup, account, blocks_with, fake_genesis
from tests.support.operations import fake_operation

GENESIS = fake_genesis(others=(7, 8))
PAY = Transfer(account(1), CREDIT)


def watched(numbers: tuple[int, ...] = (0, 1, 2, 3, 7)) -> CoreGroup:
    """A running network with a node outside the committee, the last one."""
    return CoreGroup(genesis=GENESIS, numbers=numbers).start().seconds(6)


def test_gossip_in_any_order_becomes_final_in_the_order_of_the_chain() -> None:
    group = watched()
    chain = [fake_operation(GENESIS, 8, nonce, PAY) for nonce in range(4)]
    for one in reversed(chain):
        group.tell(4, ev.OperationSubmitted(0, one.raw))
    group.seconds(5)
    applied = group.facts(OperationApplied, 2)
    assert applied == [OperationApplied(one.identifier, account(8)) for one in chain]


def test_of_two_operations_for_one_position_one_becomes_final_everywhere() -> None:
    group = watched((0, 1, 2, 3, 7, 7))
    one, other = (fake_operation(GENESIS, 8, 0, Transfer(account(n), CREDIT)) for n in (1, 2))
    group.tell(4, ev.OperationSubmitted(0, one.raw))
    group.tell(5, ev.OperationSubmitted(0, other.raw))
    group.seconds(8)
    winners = {fact.identifier for fact in group.facts(OperationApplied)}
    assert len(winners) == 1
    assert {core.state.next_nonce(account(8)) for core in group.cores.values()} == {1}
    assert {len(core.pool) for core in group.cores.values()} == {0}
    assert len({core.state.digest for core in group.cores.values()}) == 1


def test_a_gossiped_operation_is_brought_in_once() -> None:
    group = watched()
    chain = [fake_operation(GENESIS, 8, nonce, PAY) for nonce in range(20)]
    for one in chain:
        group.tell(4, ev.OperationSubmitted(0, one.raw))
        group.run(70 * MILLISECOND)
    group.seconds(8)
    assert group.cores[0].state.next_nonce(account(8)) == 20
    counts = [blocks_with(group, one.raw) for one in chain]
    assert sum(counts) <= 21, "almost always once"


def test_another_member_brings_an_operation_in_when_the_one_whose_turn_it_is_is_silent() -> None:
    for silent in range(4):
        group = watched()
        group.stop(silent)
        one = fake_operation(GENESIS, 8, 0, PAY)
        start = group.now
        group.tell(4, ev.OperationSubmitted(0, one.raw))
        group.seconds(2 * TURN_ROUNDS)
        assert group.cores[4].state.next_nonce(account(8)) == 1
        assert group.now - start <= 8 * SECOND
        assert blocks_with(group, one.raw) == 1


def test_after_a_restart_own_operations_that_nobody_knows_are_sent_again() -> None:
    group = watched()
    group.cut(4)
    group.tell(4, ev.OperationRequested(1, PAY))
    group.tell(4, ev.OperationRequested(2, PAY))
    group.stop(4)
    group.heal()
    group.seconds(1)
    group.start(4)
    again = group.tell(4, ev.OperationRequested(3, PAY))
    (kept,) = (one for one in again if isinstance(one, fx.PersistOperation))
    assert kept.nonce == 2
    group.seconds(4)
    assert group.cores[0].state.next_nonce(account(7)) == 3


def test_after_a_restart_own_operations_that_are_final_are_left_alone() -> None:
    group = watched()
    group.tell(4, ev.OperationRequested(1, PAY))
    group.seconds(4)
    group.stop(4)
    since = group.now + 1
    group.seconds(1)
    group.start(4).seconds(2)
    assert group.effects(fx.GossipOperations, 4, since=since) == []
    assert len(group.cores[4].pool) == 0
