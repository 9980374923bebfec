"""Which offers open a job, and what the smallest budget must cover."""

import pytest
from msgspec.structs import replace

from protocol.errors import Reason, Rejected
from protocol.job.offer import check_terms, smallest_budget
from protocol.messages import Offer
from protocol.parameters import minimal
from protocol.units import CREDIT
from tests.support.builders import RICHES, HandLedger, account_id, make_offer

TERMS = minimal()


def refusal_of(offer: Offer) -> Reason:
    with pytest.raises(Rejected) as refusal:
        check_terms(offer, TERMS)
    return refusal.value.reason


def test_the_smallest_budget_covers_all_replicas_an_auditor_all_bonuses_and_the_fee() -> None:
    offer = make_offer(time_ms=60_000, replicas_max=3, price_cap=1_000)
    assert smallest_budget(offer, TERMS) == 4 * 60_000 * 15_125 * 105 // 10_000 // 100


def test_the_smallest_budget_does_not_depend_on_the_offers_own() -> None:
    assert smallest_budget(make_offer(budget=1), TERMS) == smallest_budget(make_offer(), TERMS)


def test_a_budget_below_the_smallest_is_refused() -> None:
    least = smallest_budget(make_offer(), TERMS)
    check_terms(make_offer(budget=least), TERMS)
    assert refusal_of(make_offer(budget=least - 1)) is Reason.BUDGET_TOO_SMALL


@pytest.mark.parametrize(
    "offer",
    [
        make_offer(kind=""),
        make_offer(device="abacus"),
        make_offer(replicas=3, replicas_max=2),
        make_offer(replicas_max=TERMS.replicas_max + 1),
        make_offer(bid_window_rounds=TERMS.bid_window_rounds_min - 1),
        make_offer(bid_window_rounds=TERMS.bid_window_rounds_max + 1),
        make_offer(deadline_ms=TERMS.deadline_max_ms + 1),
        make_offer(time_ms=60_001),
        make_offer(retention_ms=TERMS.deadline_max_ms + 1),
        make_offer(sandbox_level=5),
        make_offer(speed_target_ms=60_001),
        make_offer(size_bytes=TERMS.payload_bytes_max + 1),
        make_offer(kind="wasm", limits=replace(make_offer().limits, fuel=0)),
        make_offer(limits=replace(make_offer().limits, fuel=TERMS.limit_fuel_max + 1)),
        make_offer(limits=replace(make_offer().limits, memory_bytes=2**60)),
        make_offer(limits=replace(make_offer().limits, output_bytes=2**30)),
    ],
)
def test_contradictory_or_boundless_terms_are_refused(offer: Offer) -> None:
    assert refusal_of(offer) is Reason.BAD_TERMS


def test_the_longest_bid_window_is_taken() -> None:
    check_terms(make_offer(bid_window_rounds=TERMS.bid_window_rounds_max), TERMS)


def test_an_unknown_result_class_is_refused() -> None:
    assert refusal_of(make_offer(result_class="tolerant")) is Reason.CLASS_NOT_SUPPORTED


def test_an_offer_locks_its_whole_budget() -> None:
    ledger = HandLedger()
    job = ledger.open(0, make_offer(budget=7 * CREDIT))
    requester = ledger.state.accounts.of(account_id(0))
    fee = ledger.state.parameters.operation_fee
    assert ledger.state.accounts.escrow_of(job) == requester.escrow == 7 * CREDIT
    assert requester.available == RICHES - 7 * CREDIT - fee


def test_an_offer_that_its_requester_cannot_pay_fails() -> None:
    failure = HandLedger().fail(0, make_offer(budget=RICHES))
    assert failure.reason is Reason.INSUFFICIENT_FUNDS
