"""Declines, commitments, fingerprints and reveals: what a drawn account may say, and what binds it.

A commitment names its author inside the hash, so that copying one proves nothing. A fingerprint
names no author, so that equal results show while all commitments are closed; whoever copies one
cannot open its own commitment to it. The author's pledge stays locked until the reveal: a signed
claim that is never opened is the one silence that costs stake.
"""

from dataclasses import replace

from protocol.balances import NOTHING, Pledge
from protocol.encoding import digest_of, encode
from protocol.errors import Reason, Rejected
from protocol.job.position import Position
from protocol.job.record import Change, Executor, Job, Phase, ResultOutcome, Status
from protocol.messages import Commitment, Decline, Fingerprint, Reveal
from protocol.units import AccountId, Digest

RUNNING_PHASES = (Phase.EXECUTING, Phase.AUDITING, Phase.JUDGING)
FINGERPRINT_PHASES = (Phase.SAMPLING, Phase.AUDITING, Phase.COMPARING)
UNAVAILABLE_MIN = 2
"""One executor alone cannot end a job by calling its content unavailable."""
OUTCOMES = frozenset(outcome.value for outcome in ResultOutcome)


def commitment_digest(author: AccountId, reveal: Reveal) -> Digest:
    """Computes what an executor commits to: its own account and every field of its reveal."""
    return digest_of(b"commitment", author, encode(reveal))


def fingerprint_digest(reveal: Reveal) -> Digest:
    """Computes what equal results of one job have in common, whoever found them."""
    trace = (reveal.trace,) if reveal.trace else ()
    return digest_of(b"fingerprint", reveal.job, bytes([reveal.outcome]), reveal.output, *trace)


def decline(job: Job, account: AccountId, payload: Decline) -> Change:
    """Decides a decline before the deadline; it costs nothing and frees the pledge.

    Raises:
        Rejected: `WRONG_PHASE`, `NOT_EXECUTOR` or `ALREADY_DONE`.
    """
    executor = _running(job, account)
    changed = replace(executor, status=Status.DECLINED, unavailable=payload.unavailable)
    return Change(job.with_executor(changed), (freed(job, account),))


def is_mostly_unavailable(job: Job) -> bool:
    """Says whether enough executors failed to fetch the content, and nobody succeeded."""
    if job.having(Status.COMMITTED, Status.REVEALED, Status.UNOPENED, Status.LATE):
        return False
    unavailable = sum(executor.unavailable for executor in job.executors)
    return unavailable >= UNAVAILABLE_MIN and 2 * unavailable > job.wanted


def is_all_unavailable(job: Job) -> bool:
    """Says whether nobody called could fetch the content."""
    return bool(job.executors) and all(executor.unavailable for executor in job.executors)


def commit(job: Job, account: AccountId, payload: Commitment, position: Position) -> Change:
    """Decides a commitment.

    Raises:
        Rejected: `WRONG_PHASE`, `NOT_EXECUTOR` or `ALREADY_DONE`.
    """
    executor = _running(job, account)
    changed = replace(
        executor,
        status=Status.COMMITTED,
        commitment=payload.digest,
        committed_ms=position.ledger_ms,
    )
    return Change(job.with_executor(changed))


def fingerprint_due(job: Job, executor: Executor) -> bool:
    """Says whether a fingerprint counts now: after its author has bound itself, and only once."""
    is_missing = executor.status is Status.COMMITTED and executor.fingerprint is None
    return is_missing and job.phase in FINGERPRINT_PHASES


def fingerprint(job: Job, account: AccountId, payload: Fingerprint) -> Change:
    """Decides a fingerprint; whether it is the result's shows only at the reveal.

    Raises:
        Rejected: `NOT_EXECUTOR`, `ALREADY_DONE`, or `WRONG_PHASE` before the own commitment and
            while executors still run.
    """
    executor = _drawn(job, account)
    if executor.status not in (Status.RUNNING, Status.COMMITTED):
        raise Rejected(Reason.ALREADY_DONE, executor.status.value)
    if executor.fingerprint is not None:
        raise Rejected(Reason.ALREADY_DONE, "one fingerprint for each commitment")
    if not fingerprint_due(job, executor):
        raise Rejected(Reason.WRONG_PHASE, f"{executor.status.value}, {job.phase.value}")
    return Change(job.with_executor(replace(executor, fingerprint=payload.digest)))


def reveal_due(job: Job, executor: Executor) -> bool:
    """Says whether a reveal counts now: it helps nobody who has not committed."""
    if executor.status is Status.COMMITTED:
        return job.phase is Phase.REVEALING
    return executor.status is Status.UNOPENED and job.unsealed


def reveal(job: Job, account: AccountId, payload: Reveal) -> Change:
    """Decides a reveal; one after the window is late: unpaid, and still judged.

    Raises:
        Rejected: `WRONG_PHASE` before reveals open, `NOT_EXECUTOR`, `ALREADY_DONE` or
            `BAD_REVEAL`.
    """
    executor = _drawn(job, account)
    if executor.status not in (Status.COMMITTED, Status.UNOPENED):
        raise Rejected(Reason.ALREADY_DONE, executor.status.value)
    if not reveal_due(job, executor):
        raise Rejected(Reason.WRONG_PHASE, job.phase.value)
    if commitment_digest(account, payload) != executor.commitment:
        raise Rejected(Reason.BAD_REVEAL)
    if executor.fingerprint not in (None, fingerprint_digest(payload)):
        raise Rejected(Reason.BAD_REVEAL, "not the result that the fingerprint is of")
    if payload.outcome not in OUTCOMES:
        raise Rejected(Reason.BAD_REVEAL, "an outcome that does not exist")
    in_time = executor.status is Status.COMMITTED
    status = Status.REVEALED if in_time else Status.LATE
    return Change(job.with_executor(replace(executor, status=status, reveal=payload)))


def freed(job: Job, account: AccountId) -> Pledge:
    """Frees what an account pledged to a job."""
    return Pledge(account, job.identifier, NOTHING)


def _drawn(job: Job, account: AccountId) -> Executor:
    executor = job.executor(account)
    if executor is None:
        raise Rejected(Reason.NOT_EXECUTOR)
    return executor


def _running(job: Job, account: AccountId) -> Executor:
    executor = _drawn(job, account)
    if executor.status is not Status.RUNNING:
        raise Rejected(Reason.ALREADY_DONE, executor.status.value)
    if job.phase not in RUNNING_PHASES:
        raise Rejected(Reason.WRONG_PHASE, job.phase.value)
    return executor
