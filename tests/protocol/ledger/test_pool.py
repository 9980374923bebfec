import pytest
from msgspec.structs import replace

from protocol.errors import Reason, Rejected
from protocol.ledger import pool as pool_module
from protocol.ledger.chain import HIDING_ROUNDS
from protocol.ledger.pool import TURN_ROUNDS, OperationPool
from protocol.parameters import minimal
from protocol.units import MemberIndex
from tests.support.builders import account_id
from tests.support.pool_bench import COMMITTEE, STRANGER, Bench, chain, operation, refusal


def test_an_operation_is_kept_once() -> None:
    bench = Bench()
    (one,) = chain(0, 0)
    assert bench.pool.add(one, 1)
    assert not bench.pool.add(one, 1)
    assert len(bench.pool) == 1
    assert one.identifier in bench.pool
    assert bench.pool.get(one.identifier) == one


def test_a_chain_is_brought_in_up_to_its_first_gap() -> None:
    bench = Bench()
    bench.add(*chain(0, 3, 1, 0))
    assert bench.select() == chain(0, 0, 1)
    bench.add(*chain(0, 2))
    assert bench.select() == chain(0, 0, 1, 2, 3)


def test_a_gap_keeps_the_network_idle() -> None:
    bench = Bench()
    bench.add(*chain(0, 1))
    assert not bench.pool.busy
    bench.add(*chain(0, 0))
    assert bench.pool.busy


def test_operations_of_final_positions_are_stale() -> None:
    bench = Bench({account_id(0): 2})
    assert refusal(bench, operation(0, 1)) is Reason.STALE_NONCE


def test_an_account_that_was_never_funded_is_unknown() -> None:
    pool = OperationPool(minimal(), lambda account: None)
    with pytest.raises(Rejected) as caught:
        pool.add(operation(0, 0), 1)
    assert caught.value.reason is Reason.UNKNOWN_ACCOUNT


def test_a_position_too_far_ahead_is_refused() -> None:
    bench = Bench(chain_pool_max=4)
    bench.add(*chain(0, 3))
    assert refusal(bench, operation(0, 4)) is Reason.POOL_FULL


def test_two_operations_for_one_position_are_kept_and_a_third_is_not() -> None:
    bench = Bench()
    first, second, third = (operation(0, 5, amount) for amount in (1, 2, 3))
    bench.add(first, second)
    assert bench.pool.conflicts(account_id(0)) == (5,)
    assert bench.pool.conflicts(account_id(1)) == ()
    assert refusal(bench, third) is Reason.POOL_FULL
    assert bench.pool.operations(account_id(0)) == (first, second)


def test_of_two_operations_for_one_position_the_first_seen_is_brought_in() -> None:
    bench = Bench()
    first, second = operation(0, 0, 1), operation(0, 0, 2)
    bench.add(first, second)
    assert bench.select() == (first,)


def test_settling_forgets_both_operations_of_a_position() -> None:
    bench = Bench()
    bench.add(operation(0, 0, 1), operation(0, 0, 2), *chain(0, 1))
    bench.settle(0, 1)
    assert bench.pool.operations(account_id(0)) == chain(0, 1)
    assert bench.pool.next_own_nonce(account_id(0)) == 2
    bench.settle(0, 2)
    assert len(bench.pool) == 0
    assert bench.select() == ()


def test_a_gap_that_closes_outside_the_pool_lets_the_rest_go_on() -> None:
    bench = Bench()
    bench.add(*chain(0, 1))
    assert bench.select() == ()
    bench.settle(0, 1)
    assert bench.select() == chain(0, 1)


def test_the_next_own_nonce_fills_the_first_gap() -> None:
    bench = Bench({account_id(0): 4})
    assert bench.pool.next_own_nonce(account_id(0)) == 4
    bench.add(*chain(0, 4, 5, 7))
    assert bench.pool.next_own_nonce(account_id(0)) == 6


def test_what_a_block_holds_is_not_brought_in_again() -> None:
    bench = Bench()
    first, second = chain(0, 0, 1)
    bench.add(first, second)
    bench.put_in_block(3, first)
    assert bench.pool.is_in_block(first.identifier)
    assert bench.select() == (second,)
    bench.put_in_block(4, second)
    assert bench.select() == ()
    assert bench.pool.busy, "neither is final"


def test_blocks_that_nobody_refers_to_hide_an_operation_for_a_few_rounds_and_never_again() -> None:
    bench = Bench()
    (one,) = chain(0, 0)
    bench.add(one)
    shown = []
    for clock_round in range(3, 3 + 4 * HIDING_ROUNDS):
        bench.put_in_block(clock_round, one)
        assert bench.pool.is_in_block(one.identifier)
        shown += [clock_round] if bench.select(clock_round=clock_round) else []
    assert shown == list(range(3 + HIDING_ROUNDS, 3 + 4 * HIDING_ROUNDS))


def test_a_member_that_brought_an_operation_in_waits_before_it_does_so_again() -> None:
    bench = Bench()
    first, second = chain(0, 0, 1)
    bench.add(first)
    bench.put_in_block(1, first)
    brought = []
    for clock_round in range(1, 1 + 4 * HIDING_ROUNDS):
        if bench.select(clock_round=clock_round):
            bench.put_in_block(clock_round, first, author=0)
            brought.append(clock_round)
    assert brought == [1 + HIDING_ROUNDS * times for times in (1, 2, 3)]
    bench.add(second)
    assert bench.select(clock_round=clock_round) == (second,), "its successor need not wait"


def test_an_operation_that_did_not_count_is_brought_in_again() -> None:
    bench = Bench()
    (one,) = chain(0, 0)
    bench.add(one)
    bench.put_in_block(3, one)
    assert bench.select() == ()
    bench.pool.return_from_block(one.identifier)
    assert bench.select() == (one,)


def test_an_operation_comes_back_when_its_last_block_was_dropped() -> None:
    bench = Bench()
    (one,) = chain(0, 0)
    bench.add(one)
    bench.put_in_block(3, one)
    bench.put_in_block(5, one)
    bench.select()
    bench.pool.prune(4)
    assert bench.select() == ()
    bench.pool.prune(5)
    assert bench.select() == (one,)


def test_a_final_operation_does_not_come_back_with_its_block() -> None:
    bench = Bench()
    bench.add(*chain(0, 0))
    bench.put_in_block(3, *chain(0, 0))
    bench.settle(0, 1)
    bench.pool.prune(3)
    assert bench.select() == ()
    assert len(bench.pool) == 0


def test_operations_that_nobody_pooled_are_passed_over() -> None:
    bench = Bench()
    (one,) = chain(0, 0)
    bench.put_in_block(1, one)
    bench.pool.return_from_block(one.identifier)
    bench.settle(0, 1)
    assert bench.pool.get(one.identifier) is None
    assert not bench.pool.is_in_block(one.identifier)
    assert bench.pool.conflicts(account_id(0)) == ()
    assert bench.pool.operations(account_id(0)) == ()


def test_each_gossiped_operation_is_one_members_turn_at_a_time() -> None:
    bench = Bench()
    bench.add(*chain(STRANGER, 0, 1), own=False)
    order = []
    for clock_round in range(1, 1 + 4 * TURN_ROUNDS):
        chosen = [member for member in range(4) if bench.select(member, clock_round)]
        assert len(chosen) == 1
        order += chosen
    assert sorted(set(order)) == [0, 1, 2, 3], "everybody's turn comes while all are silent"
    assert order == sorted(order, key=order.index)


def test_a_members_own_gossip_is_its_own_turn_first() -> None:
    pool = OperationPool(minimal(), lambda account: 0)
    one = operation(0, 0)
    account = COMMITTEE.members[2].account
    mine = replace(one, operation=replace(one.operation, account=account))
    pool.add(mine, 7)
    turns = [pool.select(COMMITTEE, MemberIndex(member), 7) for member in range(4)]
    assert turns == [(), (), (mine,), ()]


def test_an_own_operation_waits_for_no_turn() -> None:
    bench = Bench()
    bench.add(*chain(STRANGER, 0), own=False)
    waiting = [member for member in range(4) if not bench.select(member)]
    bench.add(*chain(STRANGER, 0), own=True)
    assert [bench.select(member) for member in waiting] == [chain(STRANGER, 0)] * 3


def test_a_block_takes_no_more_operations_than_it_may() -> None:
    bench = Bench(block_operations_max=3)
    bench.add(*chain(0, *range(5)))
    assert bench.select() == chain(0, 0, 1, 2)


def test_a_block_takes_no_more_bytes_than_it_may() -> None:
    size = len(operation(0, 0).raw) + pool_module.FRAMING_BYTES
    bench = Bench(block_bytes_max=size * 3 * 4 // 3 + 1)
    bench.add(*chain(0, 0, 1), *chain(1, 0, 1))
    assert bench.select() == (*chain(0, 0, 1), *chain(1, 0))


def test_a_full_pool_lets_the_longest_chain_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "POOL_OPERATIONS_MAX", 6)
    bench = Bench()
    bench.add(*chain(STRANGER, *range(1, 7)), own=False)
    assert len(bench.pool) == 6
    bench.add(*chain(0, 0, 1), own=False)
    assert bench.pool.operations(account_id(STRANGER)) == chain(STRANGER, 1, 2, 3, 4)
    assert bench.pool.operations(account_id(0)) == chain(0, 0, 1)
    assert refusal(bench, operation(STRANGER, 7)) is Reason.POOL_FULL


def test_a_full_pool_keeps_own_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "POOL_OPERATIONS_MAX", 3)
    bench = Bench()
    bench.add(*(operation(number, 0) for number in range(1, 4)), own=False)
    assert refusal(bench, operation(0, 0)) is Reason.POOL_FULL
    bench.add(*chain(0, 0), own=True)
    assert bench.pool.operations(account_id(0)) == chain(0, 0)
