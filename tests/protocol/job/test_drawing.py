"""What a beacon decides can be computed again by anyone from the record alone."""

from fractions import Fraction

from msgspec.structs import replace

from protocol.encoding import digest_of
from protocol.job.bidding import weight_of
from protocol.job.lottery import draw
from protocol.job.record import Duty, Ending, Job, Phase
from protocol.parameters import Parameters, minimal
from protocol.units import CREDIT, Credits
from tests.support.builders import HandLedger, account_id, make_genesis, make_offer, make_reveal

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


def test_without_other_bidders_nobody_audits() -> None:
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
        TERMS, checks_before_alone=1, checks_per_requester=100, audit_floor=0, exposure_multiple=1
    )
    alone = 0
    ledger = HandLedger(make_genesis(parameters=terms))
    two = make_offer(replicas=2, replicas_max=2, budget=CREDIT)
    for _ in range(3):
        ledger.run(ledger.start(two, (1, 2)).identifier)
    single = make_offer(replicas=1, replicas_max=2, tolerated_error_ppm=200_000, budget=CREDIT)
    for _ in range(24):
        record = ledger.start(single, (1, 2))
        alone += record.wanted == 1
        ledger.run(record.identifier)
    assert 12 <= alone < 24


def test_bidders_who_cannot_reach_the_error_together_are_not_made_to_work() -> None:
    ledger = HandLedger()
    job = ledger.open(0, make_offer(tolerated_error_ppm=1))
    ledger.bid(job, 1, 2, 3)
    record = ledger.until(job, Phase.EXECUTING, Phase.REFUNDED)
    assert record.ending is Ending.UNREACHABLE
    assert record.refund == record.offer.budget
    assert not ledger.state.accounts.of(account_id(1)).pledges
