import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.ledger import pool as pool_module
from protocol.wire import ChainTip
from tests.support.builders import account_id
from tests.support.pool_bench import PLENTY, STRANGER, Bench, chain, operation


def test_a_summary_shows_each_chains_tip() -> None:
    bench = Bench({account_id(1): 4})
    one, (two, third) = operation(0, 0), chain(1, 4, 6)
    bench.add(one, two, third)
    mixed = int.from_bytes(two.identifier[:8], "big") ^ int.from_bytes(third.identifier[:8], "big")
    expected = (
        ChainTip(account_id(0), 1, one.identifier[:8]),
        ChainTip(account_id(1), 5, mixed.to_bytes(8, "big")),
    )
    assert bench.pool.tips(10) == tuple(sorted(expected, key=lambda tip: tip.account))


def test_a_peer_is_sent_what_it_lacks_in_chain_order() -> None:
    mine, theirs = Bench(), Bench()
    operations = chain(0, 0, 1, 2)
    mine.add(*operations)
    theirs.add(operations[0])
    raws = tuple(one.raw for one in operations)
    tips = theirs.pool.tips(10)
    assert mine.pool.lacking(tips, 10, PLENTY) == raws[1:]
    assert mine.pool.lacking((), 10, PLENTY) == raws
    assert mine.pool.lacking((), 10, len(raws[0])) == raws[:1]
    assert mine.pool.lacking(mine.pool.tips(10), 10, PLENTY) == ()
    assert theirs.pool.lacking(mine.pool.tips(10), 10, PLENTY) == raws[:1]


def test_summaries_of_many_chains_cover_all_of_them_in_turn() -> None:
    mine, theirs = Bench(), Bench()
    mine.add(*(operation(number, 0) for number in range(9)))
    theirs.add(*(operation(number, 0) for number in range(0, 9, 2)))
    lacking: set[bytes] = set()
    for _ in range(6):
        tips = theirs.pool.tips(3)
        assert len(tips) == 3
        lacking |= set(mine.pool.lacking(tips, 3, PLENTY))
    assert lacking == {operation(number, 0).raw for number in range(1, 9, 2)}


def test_chains_that_a_full_summary_does_not_cover_are_not_sent_for_nothing() -> None:
    mine, theirs = Bench(), Bench()
    operations = [operation(number, 0) for number in range(9)]
    mine.add(*operations)
    theirs.add(*operations)
    sent = [mine.pool.lacking(theirs.pool.tips(4), 4, PLENTY) for _ in range(9)]
    assert sent == [()] * 9


def test_an_operation_larger_than_an_answer_is_sent_alone() -> None:
    bench = Bench()
    one, two = chain(0, 0, 1)
    bench.add(one, two)
    assert bench.pool.lacking((), 10, 1) == (one.raw,)


@given(
    st.sets(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 2))),
    st.sets(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 2))),
)
def test_two_pools_that_exchange_summaries_become_equal(
    first: set[tuple[int, int, int]], second: set[tuple[int, int, int]]
) -> None:
    pools = []
    for known in (first, second):
        bench = Bench()
        bench.add(*(operation(*one) for one in sorted(known)))
        pools.append(bench.pool)
    by_raw = {operation(*one).raw: operation(*one) for one in first | second}
    for _ in range(3):
        for mine, other in (pools, pools[::-1]):
            for raw in mine.lacking(other.tips(10), 10, PLENTY):
                other.add(by_raw[raw], 1)
    assert pools[0].tips(10) == pools[1].tips(10)
    assert len(pools[0]) == len(first | second)


def test_a_chain_that_lost_operations_has_the_summary_of_one_that_never_held_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "POOL_OPERATIONS_MAX", 6)
    worn, plain = Bench(), Bench({account_id(STRANGER): 2})
    worn.add(*chain(STRANGER, *range(6)), own=False)
    worn.add(*chain(0, 0), own=False)
    worn.settle(STRANGER, 2)
    plain.add(*chain(STRANGER, 2, 3, 4), *chain(0, 0))
    assert worn.pool.tips(10) == plain.pool.tips(10)
    assert worn.pool.next_own_nonce(account_id(STRANGER)) == 5
