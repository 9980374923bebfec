"""What a commit did to the state: the facts that a state reports, in order."""

from dataclasses import dataclass

from protocol.economy.emission import Emission
from protocol.errors import Reason
from protocol.job.record import Fault, Phase
from protocol.units import AccountId, Credits, Digest, JobId


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


StateFact = (
    OperationApplied | OperationFailed | JobAdvanced | JobChanged | Settled | Slashed | Emission
)
