"""Declines, commitments and reveals: what a drawn account may say, and what binds it.

A commitment names its author inside the hash, so that copying one proves nothing. Its author's
pledge stays locked until the reveal: a signed claim that is never opened is the one silence that
costs stake.
"""

from dataclasses import replace

from protocol.accounts import NOTHING, Pledge
from protocol.encoding import digest_of, encode
from protocol.errors import Reason, Rejected
from protocol.job.position import Position
from protocol.job.record import Change, Executor, Job, Phase, ResultOutcome, Status
from protocol.messages import Commitment, Decline, Reveal
from protocol.units import AccountId, Digest

RUNNING_PHASES = (Phase.EXECUTING, Phase.AUDITING)
OUTCOMES = frozenset(outcome.value for outcome in ResultOutcome)


def commitment_digest(author: AccountId, reveal: Reveal) -> Digest:
    """Computes what an executor commits to: its own account and every field of its reveal."""
    return digest_of(b"commitment", author, encode(reveal))


def decline(job: Job, account: AccountId, payload: Decline) -> Change:
    """Decides a decline before the deadline; it costs nothing and frees the pledge.

    Raises:
        Rejected: `WRONG_PHASE`, `NOT_EXECUTOR` or `ALREADY_DONE`.
    """
    executor = _running(job, account)
    changed = replace(executor, status=Status.DECLINED, unavailable=payload.unavailable)
    return Change(job.with_executor(changed), (freed(job, account),))


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


def reveal(job: Job, account: AccountId, payload: Reveal) -> Change:
    """Decides a reveal; one after the window is late: unpaid, and still judged.

    Raises:
        Rejected: `WRONG_PHASE` before reveals open, `NOT_EXECUTOR`, `ALREADY_DONE` or
            `BAD_REVEAL`.
    """
    executor = job.executor(account)
    if executor is None:
        raise Rejected(Reason.NOT_EXECUTOR)
    if executor.status not in (Status.COMMITTED, Status.UNOPENED):
        raise Rejected(Reason.ALREADY_DONE, executor.status.value)
    if executor.status is Status.COMMITTED and job.phase is not Phase.REVEALING:
        raise Rejected(Reason.WRONG_PHASE, job.phase.value)
    if commitment_digest(account, payload) != executor.commitment:
        raise Rejected(Reason.BAD_REVEAL)
    if payload.outcome not in OUTCOMES:
        raise Rejected(Reason.BAD_REVEAL, "an outcome that does not exist")
    in_time = executor.status is Status.COMMITTED
    status = Status.REVEALED if in_time else Status.LATE
    return Change(job.with_executor(replace(executor, status=status, reveal=payload)))


def freed(job: Job, account: AccountId) -> Pledge:
    """Frees what an account pledged to a job."""
    return Pledge(account, job.identifier, NOTHING)


def _running(job: Job, account: AccountId) -> Executor:
    executor = job.executor(account)
    if executor is None:
        raise Rejected(Reason.NOT_EXECUTOR)
    if executor.status is not Status.RUNNING:
        raise Rejected(Reason.ALREADY_DONE, executor.status.value)
    if job.phase not in RUNNING_PHASES:
        raise Rejected(Reason.WRONG_PHASE, job.phase.value)
    return executor
