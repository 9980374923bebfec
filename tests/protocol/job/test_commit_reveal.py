"""Commitments bind their authors, and only their authors."""

from msgspec.structs import replace

from protocol.errors import Reason
from protocol.job.commit_reveal import commitment_digest, fingerprint_digest
from protocol.job.record import Phase, Status
from protocol.messages import Commitment, Decline, Fingerprint
from protocol.units import Digest, JobId
from tests.support.builders import HandLedger, account_id, digest, make_reveal


def started() -> HandLedger:
    ledger = HandLedger()
    ledger.start()
    return ledger


def test_a_commitment_binds_its_author_and_every_field() -> None:
    ledger = started()
    (job,) = ledger.state.jobs
    reveal = make_reveal(job)
    changes = [
        replace(reveal, outcome=1),
        replace(reveal, output=digest(b"x")),
        replace(reveal, elapsed_ms=1),
        replace(reveal, fuel=1),
        replace(reveal, salt=b"s" * 32),
    ]
    digests = {commitment_digest(account_id(1), each) for each in [reveal, *changes]}
    assert len(digests | {commitment_digest(account_id(2), reveal)}) == 7


def test_only_the_drawn_may_commit_or_decline() -> None:
    ledger = started()
    (job,) = ledger.state.jobs
    (stranger, *_) = set(range(1, 7)) - set(ledger.running(job))
    commitment = Commitment(job, Digest(bytes(32)))
    assert ledger.fail(stranger, commitment).reason is Reason.NOT_EXECUTOR
    assert ledger.fail(0, Decline(job, False)).reason is Reason.NOT_EXECUTOR


def test_a_second_commitment_is_rejected() -> None:
    ledger = started()
    (job,) = ledger.state.jobs
    first = ledger.running(job)[0]
    ledger.send_commitment(first, make_reveal(job))
    again = Commitment(job, Digest(bytes(32)))
    assert ledger.fail(first, again).reason is Reason.ALREADY_DONE
    assert ledger.fail(first, Decline(job, False)).reason is Reason.ALREADY_DONE


def test_equal_results_of_one_job_have_one_fingerprint() -> None:
    job, other = JobId(bytes(32)), JobId(b"j" * 32)
    reveal = make_reveal(job)
    same = [reveal, replace(reveal, elapsed_ms=1, fuel=1, salt=b"s" * 32)]
    others = [make_reveal(other), make_reveal(job, b"x"), replace(reveal, outcome=1)]
    assert len({fingerprint_digest(each) for each in same}) == 1
    assert len({fingerprint_digest(each) for each in [reveal, *others]}) == 4


def test_a_fingerprint_waits_until_nobody_runs_any_more() -> None:
    ledger = started()
    (job,) = ledger.state.jobs
    first, *others = ledger.running(job)
    fingerprint = Fingerprint(job, fingerprint_digest(make_reveal(job)))
    assert ledger.fail(first, fingerprint).reason is Reason.WRONG_PHASE
    ledger.send_commitment(first, make_reveal(job))
    assert ledger.fail(first, fingerprint).reason is Reason.WRONG_PHASE
    for number in others:
        ledger.send_commitment(number, make_reveal(job))
    assert ledger.state.jobs[job].phase is Phase.SAMPLING
    ledger.do(first, fingerprint)
    executor = ledger.state.jobs[job].executor(account_id(first))
    assert executor is not None
    assert executor.fingerprint == fingerprint.digest


def test_only_the_drawn_send_fingerprints_and_each_sends_one() -> None:
    ledger = started()
    (job,) = ledger.state.jobs
    numbers = ledger.running(job)
    for number in numbers:
        ledger.send_commitment(number, make_reveal(job))
    ledger.send_fingerprint(numbers[0], make_reveal(job))
    fingerprint = Fingerprint(job, Digest(bytes(32)))
    assert ledger.fail(numbers[0], fingerprint).reason is Reason.ALREADY_DONE
    (stranger, *_) = set(range(1, 7)) - set(numbers)
    assert ledger.fail(stranger, fingerprint).reason is Reason.NOT_EXECUTOR


def test_a_fingerprint_after_its_window_is_rejected() -> None:
    ledger = started()
    (job,) = ledger.state.jobs
    late, *others = ledger.running(job)
    for number in (late, *others):
        ledger.send_commitment(number, make_reveal(job))
    ledger.quiet.add(late)
    ledger.until(job, Phase.REVEALING)
    fingerprint = Fingerprint(job, fingerprint_digest(make_reveal(job)))
    assert ledger.fail(late, fingerprint).reason is Reason.ALREADY_DONE


def test_a_reveal_that_contradicts_the_fingerprint_is_rejected() -> None:
    ledger = started()
    (job,) = ledger.state.jobs
    first, *others = ledger.running(job)
    for number in (first, *others):
        ledger.send_commitment(number, make_reveal(job, b"lie" if number == first else b"right"))
    ledger.until(job, Phase.SAMPLING)
    ledger.send_fingerprint(first, make_reveal(job))
    ledger.until(job, Phase.REVEALING)
    for reveal in (make_reveal(job), make_reveal(job, b"lie")):
        assert ledger.fail(first, reveal).reason is Reason.BAD_REVEAL


def test_a_reveal_before_reveals_open_is_rejected() -> None:
    ledger = started()
    (job,) = ledger.state.jobs
    first = ledger.running(job)[0]
    ledger.send_commitment(first, make_reveal(job))
    assert ledger.fail(first, make_reveal(job)).reason is Reason.WRONG_PHASE


def revealing() -> HandLedger:
    ledger = started()
    (job,) = ledger.state.jobs
    for number in ledger.running(job):
        ledger.send_commitment(number, make_reveal(job))
    ledger.until(job, Phase.REVEALING, Phase.AUDITING)
    return ledger


def test_a_reveal_that_does_not_open_the_commitment_is_rejected() -> None:
    ledger = revealing()
    (job,) = ledger.state.jobs
    first = ledger.committed(job)[0]
    assert ledger.fail(first, make_reveal(job, b"other")).reason is Reason.BAD_REVEAL


def test_a_second_reveal_is_rejected() -> None:
    ledger = revealing()
    (job,) = ledger.state.jobs
    first = ledger.committed(job)[0]
    ledger.do(first, make_reveal(job))
    executor = ledger.state.jobs[job].executor(account_id(first))
    assert executor is not None
    assert executor.status is Status.REVEALED
    assert ledger.fail(first, make_reveal(job)).reason is Reason.ALREADY_DONE


def test_an_outcome_that_does_not_exist_is_rejected() -> None:
    ledger = started()
    (job,) = ledger.state.jobs
    odd = replace(make_reveal(job), outcome=8)
    first, *others = ledger.running(job)
    ledger.send_commitment(first, odd)
    for number in others:
        ledger.send_commitment(number, make_reveal(job))
    ledger.until(job, Phase.REVEALING)
    assert ledger.fail(first, odd).reason is Reason.BAD_REVEAL
