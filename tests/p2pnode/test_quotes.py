"""What to expect of an offer, before it is made."""

from msgspec.structs import replace

from p2pnode.quotes import quote_of, why_unreachable
from protocol.job.offer import smallest_budget
from protocol.parameters import live, minimal
from tests.support.builders import HandLedger, account_id, make_genesis, make_offer

ALONE = replace(
    minimal(), checks_before_alone=1, checks_per_requester=100, audit_floor=0, fee_share=10_000
)
BASE = 60_000
"""Millionths for one run, all of its time, at the price cap."""


def worked(ledger: HandLedger, jobs: int, bidders: range) -> HandLedger:
    for _ in range(jobs):
        ledger.run(ledger.start(make_offer(replicas=2, replicas_max=2), bidders).identifier)
    return ledger


def test_before_anybody_bid_newcomers_are_expected() -> None:
    ledger = HandLedger()
    offer = make_offer(replicas=1, tolerated_error_ppm=20_000)
    quote = quote_of(offer, account_id(0), ledger.state)
    assert (quote["known_workers"], quote["reaches_tolerated_error"]) == (0, None)
    assert quote["expected_replicas"] == 2, "two newcomers are right with 98.8 %"
    assert quote["highest_price"] == smallest_budget(offer, minimal())


def test_the_expected_price_has_all_replicas_and_the_share_of_an_audit() -> None:
    ledger = HandLedger()
    quote = quote_of(make_offer(), account_id(0), ledger.state)
    assert (quote["expected_replicas"], quote["audit_rate_bp"]) == (3, 1_000)
    verified = BASE * 105 // 100
    runs = verified * 31_000 // 10_000
    assert quote["expected_price"] == runs + runs * 5 // 100


def test_workers_with_a_record_are_fewer_and_are_audited() -> None:
    ledger = worked(HandLedger(make_genesis(parameters=ALONE)), 4, range(1, 3))
    dear = make_offer(replicas=1, tolerated_error_ppm=50_000)
    assert quote_of(dear, account_id(0), ledger.state)["expected_replicas"] == 2
    offer = make_offer(replicas=1, tolerated_error_ppm=50_000, time_ms=1_000)
    quote = quote_of(offer, account_id(0), ledger.state)
    assert (quote["known_workers"], quote["expected_replicas"]) == (2, 1)
    assert quote["audit_rate_bp"] == 2_500, "one in four checks"
    assert quote["reaches_tolerated_error"] is True


def test_an_error_that_nobody_known_reaches_is_told() -> None:
    ledger = worked(HandLedger(), 1, range(1, 3))
    offer = make_offer(replicas=1, replicas_max=4, tolerated_error_ppm=100)
    quote = quote_of(offer, account_id(0), ledger.state)
    assert quote["reaches_tolerated_error"] is False
    quote = quote_of(make_offer(replicas=3), account_id(0), ledger.state)
    assert quote["reaches_tolerated_error"] is False, "two are fewer than three"


def test_what_nobody_could_reach_is_refused_with_what_would_help() -> None:
    ledger = HandLedger(make_genesis(5))
    offer = make_offer(replicas=1, replicas_max=2, tolerated_error_ppm=10_000)
    assert why_unreachable(offer, account_id(0), ledger.state) == (
        "even if the best 2 of 4 workers agreed, their result would be wrong with 0.012196, and "
        "the job tolerates 0.01: tolerate 0.012196, or allow 3 replicas (replicas_max)"
    )
    for helped in (
        make_offer(replicas=1, replicas_max=2, tolerated_error_ppm=12_196),
        make_offer(replicas=1, replicas_max=3, tolerated_error_ppm=10_000),
    ):
        assert why_unreachable(helped, account_id(0), ledger.state) is None


def test_where_no_number_of_replicas_helps_none_is_named() -> None:
    ledger = HandLedger(make_genesis(4))
    said = why_unreachable(make_offer(tolerated_error_ppm=1), account_id(0), ledger.state)
    assert said is not None
    assert said.endswith("the job tolerates 0.000001: tolerate 0.00137")


def test_too_few_accounts_with_a_stake_are_counted() -> None:
    ledger = HandLedger(make_genesis(3, others=[9]))
    said = why_unreachable(make_offer(replicas=3), account_id(0), ledger.state)
    assert said is not None
    assert said.startswith("2 accounts beside the requester's have a stake")
    assert why_unreachable(make_offer(replicas=3), account_id(9), ledger.state) is None


def test_the_requester_does_not_count_as_its_own_worker() -> None:
    ledger = worked(HandLedger(), 1, range(1, 3))
    assert quote_of(make_offer(), account_id(1), ledger.state)["known_workers"] == 1


def test_the_highest_price_has_room_for_a_jury() -> None:
    ledger = HandLedger(make_genesis(parameters=live()))
    offer = make_offer(bid_window_rounds=12)
    quote = quote_of(offer, account_id(0), ledger.state)
    without = smallest_budget(offer, replace(live(), jury_size=0))
    assert quote["jury_size"] == 3
    assert quote["highest_price"] == without * 8 // 5
