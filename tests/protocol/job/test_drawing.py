"""What a beacon decides can be computed again by anyone from the record alone."""

from fractions import Fraction

from msgspec.structs import replace

from protocol.encoding import digest_of
from protocol.errors import Reason
from protocol.job.bidding import weight_of
from protocol.job.drawing import ClassWeight, class_size, heaviest_class
from protocol.job.lottery import draw
from protocol.job.record import Duty, Ending, Job, Phase
from protocol.job.transcript import PassedOver
from protocol.messages import StakeWithdrawal
from protocol.parameters import Parameters, minimal
from protocol.units import CREDIT, Credits
from tests.support.builders import (
    STAKE,
    HandLedger,
    account_id,
    ledger_of_outsiders,
    make_genesis,
    make_offer,
    make_reveal,
)

TERMS = minimal()
ALWAYS = replace(TERMS, audit_floor=10_000)


def finished(parameters: Parameters = TERMS) -> Job:
    ledger = HandLedger(make_genesis(parameters=parameters))
    return ledger.run(ledger.start().identifier)


def test_the_draw_can_be_retraced_from_the_record() -> None:
    job = finished()
    transcript = job.draw
    assert transcript is not None
    assert transcript.seed == digest_of(b"job", transcript.beacon, job.identifier)
    for entry in transcript.candidates:
        cap = Credits(job.offer.price_cap)
        again = weight_of(entry.free_stake, entry.reputation, entry.price, cap, TERMS)
        assert entry.weight == again
    weights = {bytes(entry.account): entry.weight for entry in transcript.candidates}
    assert transcript.order == draw(transcript.seed, weights, 16)
    assert tuple(each.account for each in job.executors) == transcript.order[:3]
    assert job.spares == transcript.order[3:]


def test_the_seed_is_the_third_leader_after_the_delay() -> None:
    ledger = HandLedger()
    job = ledger.start()
    close_round = job.timeline[1].leader_round
    assert job.draw is not None
    assert job.draw.index == close_round + TERMS.seed_delay_rounds + TERMS.seed_leaders - 1
    assert int(job.timeline[2].leader_round) == job.draw.index


def test_the_audit_can_be_retraced_from_the_record() -> None:
    job = finished(ALWAYS)
    audit = job.audit
    assert audit is not None
    assert audit.drawn is not None
    seed = digest_of(b"audit", audit.beacon, job.identifier)
    assert audit.drawn.seed == seed
    assert audit.number == int.from_bytes(seed[:8], "big")
    assert Fraction(audit.numerator, audit.denominator) == 1
    executors = {each.account for each in job.executors if each.duty is Duty.EXECUTOR}
    assert executors.isdisjoint(audit.drawn.order)


def test_an_auditor_runs_before_anything_is_revealed() -> None:
    ledger = HandLedger(make_genesis(parameters=ALWAYS))
    job = ledger.start().identifier
    for number in ledger.running(job):
        ledger.send_commitment(number, make_reveal(job))
    record = ledger.until(job, Phase.AUDITING)
    assert all(each.reveal is None for each in record.executors)
    (auditor,) = ledger.running(job)
    assert record.executors[-1].duty is Duty.AUDITOR
    assert record.executors[-1].account not in record.spares
    ledger.send_commitment(auditor, make_reveal(job))
    assert ledger.state.jobs[job].phase is Phase.COMPARING
    ledger.send_fingerprint(auditor, make_reveal(job))
    assert ledger.state.jobs[job].phase is Phase.REVEALING


def test_without_other_workers_nobody_audits() -> None:
    ledger = HandLedger(make_genesis(parameters=ALWAYS))
    job = ledger.start(bidders=(1, 2, 3)).identifier
    record = ledger.run(job)
    assert record.audit is not None
    assert record.audit.drawn is not None
    assert record.audit.drawn.order == ()
    assert record.ending is Ending.ACCEPTED


def test_the_smallest_set_that_can_reach_the_error_begins() -> None:
    ledger = HandLedger()
    assert ledger.start(make_offer(replicas=1, tolerated_error_ppm=20_000)).wanted == 2


def test_a_newcomer_never_works_alone() -> None:
    ledger = HandLedger()
    assert ledger.start(make_offer(replicas=1, tolerated_error_ppm=200_000)).wanted == 2


def test_a_proven_worker_mostly_works_alone() -> None:
    terms = replace(
        TERMS,
        checks_before_alone=1,
        checks_per_requester=100,
        audit_floor=0,
        exposure_multiple=1,
        fee_share=10_000,
    )
    alone = 0
    ledger = HandLedger(make_genesis(parameters=terms), luck=5)
    two = make_offer(replicas=2, replicas_max=2, budget=CREDIT)
    for _ in range(3):
        ledger.run(ledger.start(two, (1, 2)).identifier)
    single = make_offer(
        replicas=1, replicas_max=2, tolerated_error_ppm=200_000, budget=CREDIT, time_ms=1_000
    )
    for _ in range(24):
        record = ledger.start(single, (1, 2))
        alone += record.wanted == 1
        ledger.run(record.identifier)
    assert 12 <= alone < 24


def test_nobody_works_alone_for_more_than_the_fees_behind_its_checks() -> None:
    terms = replace(TERMS, checks_before_alone=1, checks_per_requester=100, exposure_multiple=10**4)
    ledger = HandLedger(make_genesis(parameters=terms))
    two = make_offer(replicas=2, replicas_max=2, budget=CREDIT)
    parts = 0
    for _ in range(12):
        parts += ledger.run(ledger.start(two, (1, 2)).identifier).fee // 2
    burned = ledger.state.reputation_of(account_id(1)).burned
    assert burned == parts, "half of each fee stands behind each of two checks"
    assert burned == ledger.state.reputation_of(account_id(2)).burned > 0
    begun = {1: 0, 2: 0}
    for _ in range(24):
        for wanted in begun:
            cap = max(1, burned * 1_000 * 10_000 // (60_000 * 15_125))
            single = make_offer(
                replicas=1, replicas_max=2, tolerated_error_ppm=200_000, price_cap=cap + wanted - 1
            )
            job = ledger.open(0, single)
            ledger.bid(job, 1, 2, price=single.price_cap)
            begun[wanted] += ledger.until(job, Phase.EXECUTING).wanted == 1
            ledger.run(job)
    assert begun[1] > 12, "what they cover"
    assert begun[2] == 0, "a millionth a second more is repeated"


def test_bidders_who_cannot_reach_the_error_together_are_not_made_to_work() -> None:
    ledger = HandLedger()
    job = ledger.open(0, make_offer(tolerated_error_ppm=1))
    ledger.bid(job, 1, 2, 3)
    record = ledger.until(job, Phase.EXECUTING, Phase.REFUNDED)
    assert record.ending is Ending.UNREACHABLE
    assert record.refund == record.offer.budget
    assert not ledger.state.accounts.of(account_id(1)).pledges


def test_an_offer_is_never_run_by_fewer_than_it_asks_for() -> None:
    ledger = HandLedger()
    offer = make_offer(replicas=4, replicas_max=4)
    job = ledger.open(0, offer)
    ledger.bid(job, 1, 2, 3)
    record = ledger.until(job, Phase.EXECUTING, Phase.REFUNDED)
    assert record.ending is Ending.UNREACHABLE
    assert record.refund == offer.budget
    assert record.executors == ()
    assert ledger.start(offer, (1, 2, 3, 4)).wanted == 4


# Device classes

WIDE = "cpu/x86_64-avx512f/ort-1.32.0"
NARROW = "cpu/x86_64-avx2/ort-1.32.0"


def class_of(*bidders: tuple[str, int], size: int = 1) -> str:
    return heaviest_class([ClassWeight(device, weight) for device, weight in bidders], size)


def drawn_from(classes: dict[str, tuple[int, ...]], ledger: HandLedger | None = None) -> Job:
    """A job whose results are compared within one device class, once it is drawn."""
    ledger = ledger if ledger is not None else HandLedger()
    job = ledger.open(0, make_offer(result_class="class-exact", replicas=2))
    for device, numbers in classes.items():
        ledger.bid(job, *numbers, device=device)
    return ledger.until(job, Phase.EXECUTING, Phase.REFUNDED)


def test_the_class_with_the_greatest_weight_is_chosen_not_the_one_with_most_bidders() -> None:
    assert class_of((WIDE, 3), (NARROW, 2), (NARROW, 2)) == NARROW
    assert class_of((WIDE, 9), (NARROW, 2), (NARROW, 2)) == WIDE


def test_of_equal_classes_the_first_name_is_chosen_in_any_order_of_bids() -> None:
    assert class_of((WIDE, 4), (NARROW, 4)) == class_of((NARROW, 4), (WIDE, 4)) == NARROW


def test_without_bidders_no_class_is_chosen() -> None:
    assert class_of() == ""


def test_a_class_too_small_for_the_job_stands_back_while_another_has_enough() -> None:
    bids = (("cpu/mine", 2**60), (NARROW, 1), (NARROW, 1))
    assert class_of(*bids, size=1) == "cpu/mine"
    assert class_of(*bids, size=2) == NARROW
    assert class_of(*bids, size=3) == "cpu/mine", "nobody has enough"


def test_a_class_needs_what_the_offer_asks_for_and_what_its_error_takes() -> None:
    assert class_size(3, 4, 20_000, TERMS) == 3
    assert class_size(1, 4, 20_000, TERMS) == 2, "two newcomers are right with 98.8 %"
    assert class_size(1, 4, 200_000, TERMS) == 2, "a newcomer is not left alone"
    assert class_size(1, 1, 200_000, TERMS) == 1
    assert class_size(1, 3, 1, TERMS) == 3, "no number of newcomers would do"


def test_a_job_is_drawn_from_one_class_and_shows_what_the_others_weighed() -> None:
    job = drawn_from({WIDE: (1, 2), NARROW: (3, 4, 5)})
    assert job.draw is not None
    assert {account_id(n) for n in (3, 4, 5)} == {*job.draw.order}
    assert {one.account for one in job.draw.candidates} == {*job.draw.order}
    others = (account_id(1), account_id(2))
    assert tuple(one.account for one in job.draw.outweighed) == others
    assert all(one.weight > 0 for one in job.draw.outweighed)
    assert job.passed_over == tuple(PassedOver(one, Reason.OTHER_CLASS) for one in others)


def test_an_invented_class_with_a_huge_stake_does_not_stop_a_job() -> None:
    ledger = HandLedger(make_genesis(available=200_000 * CREDIT))
    ledger.deposit(6, amount=90_000 * CREDIT)
    job = drawn_from({"cpu/mine": (6,), NARROW: (1, 2)}, ledger)
    assert job.phase is Phase.EXECUTING
    assert {each.account for each in job.executors} == {account_id(1), account_id(2)}
    assert job.draw is not None
    (mine,) = job.draw.outweighed
    assert mine.weight > sum(one.weight for one in job.draw.candidates)


def test_who_cannot_be_drawn_adds_nothing_to_a_class() -> None:
    ledger = ledger_of_outsiders()
    job = ledger.open(0, make_offer(result_class="class-exact", replicas=2))
    ledger.bid(job, 1, 2, 3, device=WIDE)
    ledger.bid(job, 4, 5, device=NARROW)
    for number in (1, 2):
        ledger.do(number, StakeWithdrawal(STAKE))
    record = ledger.until(job, Phase.EXECUTING)
    assert {each.device for each in record.executors} == {NARROW}
    assert [one.reason for one in record.passed_over] == [
        Reason.INSUFFICIENT_STAKE,
        Reason.INSUFFICIENT_STAKE,
        Reason.OTHER_CLASS,
    ]


def test_when_nobody_can_be_drawn_a_job_of_one_class_is_refunded() -> None:
    ledger = ledger_of_outsiders()
    job = ledger.open(0, make_offer(result_class="class-exact", replicas=2))
    ledger.bid(job, 1, device=WIDE)
    ledger.do(1, StakeWithdrawal(STAKE))
    record = ledger.until(job, Phase.REFUNDED)
    assert record.ending is Ending.NO_ELIGIBLE_BID


def test_an_auditor_and_later_spares_are_of_the_executors_class() -> None:
    ledger = HandLedger(make_genesis(9, parameters=ALWAYS))
    job = drawn_from({WIDE: (1, 2, 3), NARROW: (4, 5, 6, 7, 8)}, ledger)
    liar = ledger.running(job.identifier)[0]
    record = ledger.run(job.identifier, {liar: b"wrong"})
    duties = [each.duty for each in record.executors]
    assert duties == [Duty.EXECUTOR, Duty.EXECUTOR, Duty.AUDITOR, Duty.EXECUTOR]
    assert {each.device for each in record.executors} == {NARROW}
    assert record.audit is not None
    assert record.audit.drawn is not None
    could = {one.account for one in record.audit.drawn.candidates}
    assert could == {account_id(n) for n in range(4, 9)} - {
        each.account for each in record.executors[:2]
    }
    assert record.audit.drawn.outweighed == (), "the class was chosen by the first draw"


def test_where_only_another_class_is_left_nobody_audits() -> None:
    ledger = HandLedger(make_genesis(parameters=ALWAYS))
    job = drawn_from({WIDE: (1,), NARROW: (2, 3)}, ledger)
    record = ledger.run(job.identifier)
    assert record.audit is not None
    assert record.audit.drawn is not None
    assert record.audit.drawn.order == ()
    assert record.phase is Phase.SETTLED


def test_jobs_compared_between_all_devices_are_drawn_from_all() -> None:
    ledger = HandLedger()
    job = ledger.open()
    ledger.bid(job, 1, 2, device=WIDE)
    ledger.bid(job, 3, device=NARROW)
    record = ledger.until(job, Phase.EXECUTING)
    assert len(record.executors) == 3
    assert record.passed_over == ()


def test_bidders_of_other_classes_do_not_count_as_replicas() -> None:
    ledger = HandLedger()
    job = ledger.open(0, make_offer(replicas=3, result_class="class-exact"))
    ledger.bid(job, 1, 2, device=WIDE)
    ledger.bid(job, 3, device=NARROW)
    record = ledger.until(job, Phase.EXECUTING, Phase.REFUNDED)
    assert record.ending is Ending.UNREACHABLE
