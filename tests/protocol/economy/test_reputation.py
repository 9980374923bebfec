"""What a worker's record becomes, and what it is worth."""

from dataclasses import replace

from msgspec.structs import replace as with_terms

from protocol.economy.reputation import (
    NEWCOMER,
    REPUTATION_MAX,
    REQUESTERS_KEPT,
    SCALE,
    Odds,
    Reputation,
    after_conviction,
    after_miss,
    after_right,
    after_wrong,
    odds,
    score,
)
from protocol.parameters import local
from protocol.units import AccountId, Milliseconds
from tests.support.builders import account_id

TERMS = local()
BEA = account_id(1)
NOW = Milliseconds(5_000)


def right(reputation: Reputation, requester: AccountId = BEA, at_ms: int = NOW) -> Reputation:
    return after_right(reputation, requester, Milliseconds(at_ms), TERMS, checked=True)


def test_a_newcomer_weighs_half() -> None:
    assert score(NEWCOMER) == REPUTATION_MAX // 2


def test_right_results_raise_the_score_and_wrong_ones_lower_it() -> None:
    assert score(after_wrong(NEWCOMER)) < score(NEWCOMER) < score(right(NEWCOMER))


def test_a_score_is_never_nothing() -> None:
    assert score(Reputation(wrong=10**9 * SCALE)) == 1
    assert score(Reputation(right=10**9 * SCALE)) <= REPUTATION_MAX


def test_a_newcomers_odds_are_nine_to_one_where_a_tenth_is_assumed_wrong() -> None:
    assert odds(0, TERMS) == Odds(9_000, 1_000)


def test_each_check_passed_raises_the_odds() -> None:
    assert odds(9, TERMS) == Odds(99_000, 1_000)


def test_odds_stay_finite_where_nobody_is_assumed_wrong() -> None:
    assert odds(0, with_terms(TERMS, assumed_fault_share=0)) == Odds(9_999, 1)


def test_an_unchecked_result_proves_nothing() -> None:
    missed = after_miss(NEWCOMER, NOW, TERMS)
    after = after_right(missed, account_id(1), NOW, TERMS, checked=False)
    assert after == replace(missed, misses=0)


def test_one_requester_raises_credibility_only_so_often_in_a_period() -> None:
    record = NEWCOMER
    for _ in range(5):
        record = right(record)
    assert record.checks == TERMS.checks_per_requester
    assert right(record, account_id(2)).checks == TERMS.checks_per_requester + 1
    later = NOW + TERMS.check_period_ms
    assert right(record, at_ms=later).checks == TERMS.checks_per_requester + 1


def test_further_results_for_one_requester_weigh_less() -> None:
    once = right(NEWCOMER)
    twice = right(once)
    assert once.right == SCALE
    assert twice.right - once.right * 49 // 50 == SCALE // 2


def test_only_so_many_requesters_are_remembered() -> None:
    record = NEWCOMER
    for number in range(REQUESTERS_KEPT + 3):
        record = right(record, account_id(number))
    assert len(record.seen) == REQUESTERS_KEPT
    assert record.seen[0].requester == account_id(3)


def test_a_wrong_result_ends_all_credibility() -> None:
    assert after_wrong(Reputation(checks=12)).checks == 0


def test_a_conviction_forgets_everything_good() -> None:
    convicted = after_conviction(right(Reputation(right=50 * SCALE, checks=12)))
    assert (convicted.right, convicted.checks, convicted.seen) == (0, 0, ())
    assert score(convicted) < score(NEWCOMER) // 4


def test_each_miss_in_a_row_doubles_the_rest() -> None:
    once = after_miss(NEWCOMER, NOW, TERMS)
    assert once.resting_until_ms == NOW + TERMS.back_off_ms
    assert after_miss(once, NOW, TERMS).resting_until_ms == NOW + 2 * TERMS.back_off_ms


def test_a_rest_ends_some_day() -> None:
    record = NEWCOMER
    for _ in range(100):
        record = after_miss(record, NOW, TERMS)
    assert record.resting_until_ms == NOW + TERMS.back_off_max_ms


def test_a_result_ends_the_row_of_misses() -> None:
    assert right(after_miss(NEWCOMER, NOW, TERMS)).misses == 0
