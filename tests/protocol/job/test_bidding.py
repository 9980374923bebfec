"""Which bids count, what they weigh, and who cannot be drawn."""

import pytest
from msgspec.structs import replace

from protocol.errors import Reason
from protocol.job.bidding import WEIGHT_MAX, exposure_of, obstacle_to, weight_of
from protocol.job.record import Circumstances, Phase
from protocol.job.transcript import PassedOver
from protocol.messages import StakeWithdrawal
from protocol.parameters import minimal
from protocol.units import CREDIT, Credits, Milliseconds
from tests.support.builders import (
    STAKE,
    HandLedger,
    account_id,
    ledger_of_outsiders,
    make_bid,
    make_genesis,
    make_offer,
)

TERMS = minimal()
CAP = Credits(1_000)


def circumstances(ledger: HandLedger) -> Circumstances:
    state = ledger.state
    return Circumstances(
        TERMS,
        state._position,
        state.accounts.of,
        state.reputation_of,
        state.is_up,
        lambda _, __: (),
        lambda _, __: (),
    )


def weight(stake: int = 1_000 * CREDIT, reputation: int = 100, price: int = 1_000) -> int:
    return weight_of(Credits(stake), reputation, Credits(price), CAP, TERMS)


def test_a_weight_is_linear_in_stake_and_reputation() -> None:
    assert weight(stake=2_000 * CREDIT) == 2 * weight()
    assert weight(reputation=200) == 2 * weight()


def test_stake_above_the_cap_adds_no_weight() -> None:
    assert weight(stake=TERMS.lottery_stake_cap * 3) == weight(stake=TERMS.lottery_stake_cap)


def test_a_cheaper_bid_weighs_more_but_only_so_much() -> None:
    assert weight(price=500) == 2 * weight()
    assert weight(price=1) == TERMS.price_weight_max * weight()


def test_a_weight_stays_within_what_a_draw_takes() -> None:
    assert weight(stake=1, reputation=1) == 0
    assert 1 <= weight(stake=CREDIT, reputation=1) <= WEIGHT_MAX
    assert weight(stake=2**62, reputation=65_535, price=1) <= WEIGHT_MAX


def test_the_exposure_is_a_multiple_of_the_most_that_the_job_pays() -> None:
    assert exposure_of(CAP, Milliseconds(60_000), TERMS) == 20 * 60 * 1_000 * 15_125 // 10_000


def test_a_bid_after_the_close_is_rejected() -> None:
    ledger = HandLedger()
    job = ledger.open()
    ledger.bid(job, 1)
    ledger.until(job, Phase.DRAWING)
    assert ledger.fail(2, make_bid(job)).reason is Reason.WRONG_PHASE


def test_a_bid_in_the_closing_commit_is_too_late() -> None:
    ledger = HandLedger()
    job = ledger.open()
    ledger.bid(job, 1)
    window = make_offer().bid_window_rounds
    while ledger.state.leader_round < 1 + window - 2:
        ledger.commit()
    ledger.do(2, make_bid(job))
    assert ledger.fail(3, make_bid(job)).reason is Reason.WRONG_PHASE
    assert [bid.account for bid in ledger.state.jobs[job].bids] == [account_id(1), account_id(2)]


def test_a_requester_may_not_bid_on_its_own_job() -> None:
    ledger = HandLedger()
    assert ledger.fail(0, make_bid(ledger.open(0))).reason is Reason.OWN_JOB


def test_an_account_bids_once() -> None:
    ledger = HandLedger()
    job = ledger.open()
    ledger.do(1, make_bid(job))
    assert ledger.fail(1, make_bid(job, price=1)).reason is Reason.ALREADY_DONE


def test_a_price_above_the_cap_is_rejected() -> None:
    ledger = HandLedger()
    job = ledger.open()
    assert ledger.fail(1, make_bid(job, price=1_001)).reason is Reason.PRICE_TOO_HIGH


@pytest.mark.parametrize(("device", "estimate_ms"), [("cpu", 1_000), ("cuda", 0)])
def test_a_bid_that_does_not_fit_the_offer_is_rejected(device: str, estimate_ms: int) -> None:
    ledger = HandLedger()
    job = ledger.open(0, make_offer(device="cuda"))
    bid = make_bid(job, device=device, estimate_ms=estimate_ms)
    assert ledger.fail(1, bid).reason is Reason.BAD_TERMS


@pytest.mark.parametrize("device", ["", "tpu", "any", "/cpu", "CPU", "gpu/sm90", "cpuid"])
def test_a_device_of_no_known_kind_is_rejected(device: str) -> None:
    ledger = HandLedger()
    job = ledger.open()
    assert ledger.fail(1, make_bid(job, device=device)).reason is Reason.BAD_TERMS


@pytest.mark.parametrize("device", ["cuda", "cuda/sm90-NVIDIA-H200/ort-1.32.0"])
def test_a_device_counts_by_its_kind_whatever_class_it_names(device: str) -> None:
    ledger = HandLedger()
    job, other = ledger.open(0, make_offer(device="cuda")), ledger.open(0, make_offer(device="cpu"))
    ledger.do(1, make_bid(job, device=device))
    assert ledger.state.jobs[job].bids[0].device == device
    assert ledger.fail(1, make_bid(other, device=device)).reason is Reason.BAD_TERMS


def test_before_a_first_call_a_class_is_no_obstacle_and_after_it_another_is() -> None:
    ledger = HandLedger()
    job = ledger.open(0, make_offer(result_class="class-exact", replicas=2))
    ledger.bid(job, 1, 2, 3, device="cpu/a")
    ledger.bid(job, 4, device="cpu/b")
    bidding = ledger.state.jobs[job]
    now = circumstances(ledger)
    assert [obstacle_to(bidding, bid, now) for bid in bidding.bids] == [None] * 4
    drawn = ledger.until(job, Phase.EXECUTING)
    found = [obstacle_to(drawn, bid, circumstances(ledger)) for bid in drawn.bids]
    assert found == [None, None, None, Reason.OTHER_CLASS]


def test_a_bid_below_the_sandbox_level_asked_for_does_not_count() -> None:
    ledger = HandLedger()
    job = ledger.open(0, make_offer(sandbox_level=2))
    bid = make_bid(job)
    assert ledger.fail(1, replace(bid, sandbox_level=1)).reason is Reason.SANDBOX_TOO_LOW
    assert ledger.state.jobs[job].bids == ()
    ledger.do(2, replace(bid, sandbox_level=2))
    assert [one.sandbox_level for one in ledger.state.jobs[job].bids] == [2]


def test_an_account_without_stake_pays_for_its_futile_bid() -> None:
    ledger = HandLedger(make_genesis(others=(9,)))
    job = ledger.open()
    before = ledger.state.accounts.of(account_id(9)).available
    assert ledger.fail(9, make_bid(job)).reason is Reason.INSUFFICIENT_STAKE
    assert ledger.state.accounts.of(account_id(9)).available == before - TERMS.operation_fee


def test_a_job_holds_only_so_many_bids() -> None:
    ledger = HandLedger(make_genesis(parameters=replace(TERMS, bids_max=2)))
    job = ledger.open()
    ledger.bid(job, 1, 2)
    assert ledger.fail(3, make_bid(job)).reason is Reason.TOO_MANY_BIDS


def test_a_bidder_whose_free_stake_does_not_cover_the_exposure_is_passed_over() -> None:
    ledger = HandLedger(make_genesis(stake=1_000 * CREDIT))
    offer = make_offer(time_ms=60_000, price_cap=600_000, budget=300 * CREDIT)
    job = ledger.open(0, offer)
    ledger.bid(job, 1, 2, 3, price=100_000)
    ledger.do(4, make_bid(job, price=600_000))
    record = ledger.until(job, Phase.EXECUTING, Phase.REFUNDED)
    assert record.passed_over == (PassedOver(account_id(4), Reason.INSUFFICIENT_STAKE),)
    assert record.draw is not None
    assert account_id(4) not in [candidate.account for candidate in record.draw.candidates]


def test_stake_withdrawn_before_the_draw_does_not_count() -> None:
    ledger = ledger_of_outsiders()
    job = ledger.open()
    ledger.bid(job, 1, 2, 3, 4)
    ledger.do(1, StakeWithdrawal(STAKE))
    record = ledger.until(job, Phase.EXECUTING)
    assert record.passed_over == (PassedOver(account_id(1), Reason.INSUFFICIENT_STAKE),)
