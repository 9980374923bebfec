"""What a commit did to the state: the facts that a state reports, in order."""

from collections.abc import Iterator
from dataclasses import dataclass

from protocol.economy.emission import Emission
from protocol.errors import Reason
from protocol.job.record import Fault, Job, Phase
from protocol.units import AccountId, CommitIndex, Credits, Digest, Epoch, JobId, Round, Weight


@dataclass(frozen=True, slots=True)
class OperationApplied:
    """An operation took effect."""

    identifier: Digest
    account: AccountId


@dataclass(frozen=True, slots=True)
class OperationFailed:
    """An operation became final without effect.

    `STALE_NONCE` is reported for every further copy of an operation that was already final.
    """

    identifier: Digest
    account: AccountId
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class JobAdvanced:
    """A job was opened or entered another phase; the last one of this commit."""

    job: JobId
    phase: Phase


@dataclass(frozen=True, slots=True)
class JobChanged:
    """Something in a job's record changed, but not its phase."""

    job: JobId


@dataclass(frozen=True, slots=True)
class Settled:
    """A job ended, with or without a result."""

    job: JobId


@dataclass(frozen=True, slots=True)
class Slashed:
    """An account lost stake."""

    account: AccountId
    amount: Credits
    reason: Fault
    job: JobId | None


@dataclass(frozen=True, slots=True)
class EpochClosed:
    """An epoch ended, and the next one began with the members that are there."""

    epoch: Epoch
    """The one that ended."""
    index: CommitIndex
    """Its last commit."""
    rounds: Round
    """How many it had."""
    members: int
    """Of the next committee."""
    weight: Weight
    joined: tuple[AccountId, ...]
    left: tuple[AccountId, ...]
    """Members whose last block came before the epoch's second half, or that were outbid."""


@dataclass(frozen=True, slots=True)
class EpochCertified:
    """A quorum of an epoch's committee has signed how it ended."""

    epoch: Epoch


@dataclass(frozen=True, slots=True)
class BoundaryDisputed:
    """A member signed another end of an epoch than the one computed here."""

    epoch: Epoch
    account: AccountId


@dataclass(frozen=True, slots=True)
class CommitteeTooLight:
    """No next committee was formed, as too much weight has left: the ledger halts."""

    epoch: Epoch
    """The one that ended."""
    members: int
    weight: Weight
    needed: Weight


StateFact = (
    OperationApplied
    | OperationFailed
    | JobAdvanced
    | JobChanged
    | Settled
    | Slashed
    | EpochClosed
    | EpochCertified
    | BoundaryDisputed
    | CommitteeTooLight
    | Emission
)


def facts_of_job(before: Job | None, job: Job) -> Iterator[StateFact]:
    """Tells what became of a job in one commit.

    Args:
        before: The job as the commit found it; None for one that it opened.
        job: The job as the commit left it.
    """
    identifier = job.identifier
    if before is None or before.phase is not job.phase:
        yield JobAdvanced(identifier, job.phase)
    else:
        yield JobChanged(identifier)
    known = len(before.slashes) if before is not None else 0
    for slash in job.slashes[known:]:
        yield Slashed(slash.account, slash.amount, slash.reason, identifier)
    if job.terminal and (before is None or not before.terminal):
        yield Settled(identifier)
