"""What becomes of the chains of waiting operations when an epoch ends."""

import pytest

from protocol.errors import Reason, Rejected
from protocol.messages import StakeDeposit
from protocol.units import MemberIndex
from tests.support.builders import account_id, make_operation
from tests.support.pool_bench import GENESIS, Bench, chain, operation


def test_what_an_ended_epoch_did_not_order_is_brought_in_again() -> None:
    bench = Bench()
    first, second = chain(0, 0, 1)
    bench.add(first, second)
    bench.pool.in_block(first.identifier, 40, MemberIndex(0))
    assert first not in bench.select(clock_round=41)
    bench.pool.begin(1)
    assert not bench.pool.is_in_block(first.identifier)
    assert bench.select(clock_round=1) == (first, second)


def test_what_the_next_epoch_makes_void_is_dropped_and_its_place_is_free() -> None:
    bench = Bench()
    void = make_operation(GENESIS, 0, 0, StakeDeposit(5), last_epoch=1, signed=False)
    rival, later = operation(0, 0), operation(0, 1)
    bench.add(void, rival, later)
    bench.pool.begin(1)
    assert void.identifier in bench.pool
    bench.pool.begin(2)
    assert void.identifier not in bench.pool
    assert bench.select(clock_round=1) == (rival, later)
    with pytest.raises(Rejected) as caught:
        bench.add(void)
    assert caught.value.reason is Reason.EXPIRED
    alone = Bench()
    alone.add(void, later)
    alone.pool.begin(2)
    assert alone.pool.next_own_nonce(account_id(0)) == 0
