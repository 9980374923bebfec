"""What accounts own, in which buckets it lies, and how credits go from one bucket to another.

Values only. A pledge is no bucket: it marks a part of an account's stake as answering for one job.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocol.units import AccountId, Credits, JobId, Milliseconds, Nonce

NOTHING: Final = Credits(0)
FIRST: Final = Nonce(0)
YIELD_SCALE: Final = 10**15
"""Fixed point of the yield's index: what one staked unit has earned since genesis."""


@dataclass(frozen=True, slots=True)
class Unbonding:
    """Withdrawn stake that can still be slashed."""

    amount: Credits
    release_ms: Milliseconds
    """Ledger time at which it becomes available."""


@dataclass(frozen=True, slots=True)
class Accrual:
    """How far an account's yield has been paid out."""

    index: int = 0
    """The network's index up to which it is paid."""
    fraction: int = 0
    """Owed beyond that, in parts of a unit: less than `YIELD_SCALE` of them."""
    earned: Credits = NOTHING
    """All yield paid so far."""


@dataclass(frozen=True, slots=True)
class Custody:
    """A second key, kept elsewhere, that alone decides where an account's money goes."""

    key: AccountId
    """The withdrawal key; money leaves the account only for its own account."""
    allowance: Credits
    """What the account may still spend on fees and escrows; refunds of escrows restore it."""


@dataclass(frozen=True, slots=True)
class Account:
    """What one account owns; a value, replaced as a whole."""

    available: Credits = NOTHING
    staked: Credits = NOTHING
    """Pledged stake included, unbonding stake not."""
    unbonding: tuple[Unbonding, ...] = ()
    """Ascending by release, at most one entry for each time of release."""
    pledges: tuple[tuple[JobId, Credits], ...] = ()
    """Stake that answers for one job, in the order of pledging."""
    escrow: Credits = NOTHING
    """Locked in the jobs that this account requested."""
    nonce: Nonce = FIRST
    """Position that the account's next operation must have."""
    accrual: Accrual = Accrual()
    """Yield on the stake."""
    custody: Custody | None = None
    """None where the account's own key decides everything."""

    @property
    def pledged(self) -> Credits:
        """The part of the stake that answers for jobs."""
        return Credits(sum(amount for _, amount in self.pledges))

    @property
    def free_stake(self) -> Credits:
        """The part of the stake that can be pledged or withdrawn."""
        return Credits(self.staked - self.pledged)

    @property
    def slashable(self) -> Credits:
        """Everything that evidence against the account can reach."""
        return Credits(self.staked + sum(entry.amount for entry in self.unbonding))

    def due(self, index: int) -> int:
        """The yield not paid yet when the network's index is this, in parts of a unit."""
        return self.staked * (index - self.accrual.index) + self.accrual.fraction

    @property
    def spendable(self) -> Credits:
        """What fees and escrows may take: the available credits, or the rest of an allowance."""
        if self.custody is None:
            return self.available
        return min(self.available, self.custody.allowance)

    def pledge_for(self, job: JobId) -> Credits:
        """What answers for this job; 0 when nothing does."""
        return next((amount for pledged, amount in self.pledges if pledged == job), NOTHING)


EMPTY: Final = Account()


@dataclass(frozen=True, slots=True)
class Available:
    """An account's spendable balance."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class Staked:
    """An account's stake."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class Released:
    """An account's unbonding stake with this time of release."""

    account: AccountId
    release_ms: Milliseconds


@dataclass(frozen=True, slots=True)
class Escrow:
    """What a job holds of its requester's money."""

    job: JobId
    requester: AccountId


class Reserve(Enum):
    """Buckets that belong to nobody."""

    POOL = "pool"
    """Yield that is emitted and not paid out yet."""
    BURNED = "burned"
    ISSUE = "issue"
    """The source of emission: what was taken from here is `minted`."""


Bucket = Available | Staked | Released | Escrow | Reserve


@dataclass(frozen=True, slots=True)
class Move:
    """Credits go from one bucket to another."""

    source: Bucket
    target: Bucket
    amount: Credits


@dataclass(frozen=True, slots=True)
class Pledge:
    """Sets how much of an account's stake answers for a job; 0 frees it."""

    account: AccountId
    job: JobId
    amount: Credits


@dataclass(frozen=True, slots=True)
class Entrust:
    """Puts an account into the custody of a withdrawal key, or changes its terms."""

    account: AccountId
    custody: Custody


Movement = Move | Pledge | Entrust


@dataclass(slots=True)
class Totals:
    """The sum of each kind of bucket."""

    available: int = 0
    staked: int = 0
    unbonding: int = 0
    escrow: int = 0
    pool: int = 0
    burned: int = 0

    @property
    def all(self) -> int:
        """Every credit that exists."""
        return self.available + self.staked + self.unbonding + self.escrow + self.pool + self.burned


@dataclass(frozen=True, slots=True)
class Reserves:
    """What belongs to no account and no job."""

    pool: int
    burned: int
    minted: int
    yield_index: int
    """See `Accounts`."""
    fraction: int
    """Owed beyond the pool, in parts of `YIELD_SCALE`."""


def burn(account: AccountId, amount: Credits) -> Move:
    """Takes an account's available credits out of circulation, as every fee does."""
    return Move(Available(account), Reserve.BURNED, amount)


def unbonding_at(account: Account, release_ms: Milliseconds) -> int:
    """What an account gets back at a time of release; 0 when nothing."""
    return next((entry.amount for entry in account.unbonding if entry.release_ms == release_ms), 0)
