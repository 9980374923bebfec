"""Balances in double entry: the only file that moves credits.

Every credit lies in exactly one bucket. A `Move` takes from one bucket and adds to another, so the
sum over all buckets stays what genesis and emission put there. A pledge is no bucket: it marks a
part of an account's stake as answering for one job. A batch of movements is checked as a whole on
a draft and then written, so a refused batch leaves no trace.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from heapq import heappop, heappush
from typing import Final, assert_never

from protocol.errors import Misuse, Reason, Rejected
from protocol.messages import Genesis
from protocol.units import AccountId, Credits, JobId, Milliseconds, Nonce

NOTHING: Final = Credits(0)
FIRST: Final = Nonce(0)
SUPPLY_MAX: Final = 2**62
"""So that no amount or sum of amounts outgrows the 63 bits of a message's field."""


@dataclass(frozen=True, slots=True)
class Unbonding:
    """Withdrawn stake that can still be slashed."""

    amount: Credits
    release_ms: Milliseconds
    """Ledger time at which it becomes available."""


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
    BURNED = "burned"


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


Movement = Move | Pledge


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


class Accounts:
    """All balances of a network; owned and changed by the state alone."""

    def __init__(self, genesis: Genesis) -> None:
        check_supply(genesis)
        self._accounts = dict(_endowed(genesis))
        self._escrows: dict[JobId, Credits] = {}
        self._totals = Totals()
        self._maturities: list[tuple[Milliseconds, AccountId]] = []
        self._changed: dict[AccountId, None] = dict.fromkeys(self._accounts)
        self.minted = NOTHING
        """Created after genesis; nothing mints yet."""
        self._totals = self.recount()
        self.genesis_supply = Credits(self._totals.all)
        """Every credit that genesis gave out."""

    def __contains__(self, account: AccountId) -> bool:
        return account in self._accounts

    def __iter__(self) -> Iterator[AccountId]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)

    def of(self, account: AccountId) -> Account:
        """What an account owns; nothing at all for one that was never funded."""
        return self._accounts.get(account, EMPTY)

    def escrow_of(self, job: JobId) -> Credits:
        """What a job still holds of its requester's money."""
        return self._escrows.get(job, NOTHING)

    @property
    def totals(self) -> Totals:
        """A copy of the sum of each kind of bucket, which every movement keeps up to date."""
        return replace(self._totals)

    def conserved(self) -> bool:
        """Whether every credit is accounted for; costs nothing, as the sums are kept."""
        return self._totals.all == self.genesis_supply + self.minted

    def recount(self) -> Totals:
        """Adds up every bucket anew, in time proportional to the number of accounts."""
        accounts = self._accounts.values()
        return Totals(
            available=sum(account.available for account in accounts),
            staked=sum(account.staked for account in accounts),
            unbonding=sum(account.slashable - account.staked for account in accounts),
            escrow=sum(self._escrows.values()),
            pool=self._totals.pool,
            burned=self._totals.burned,
        )

    def equals(self, other: "Accounts") -> bool:
        """Whether another copy has the same in every bucket; quick where both share values."""
        mine = (self._accounts, self._escrows, self._totals, self.minted, self.genesis_supply)
        theirs = (other._accounts, other._escrows, other._totals, other.minted)
        return mine == (*theirs, other.genesis_supply)

    def apply(self, movements: Sequence[Movement]) -> None:
        """Makes all movements or none.

        Raises:
            Rejected: `INSUFFICIENT_FUNDS` or `INSUFFICIENT_STAKE`, with nothing changed.
        """
        draft = self._drafted(movements)
        for identifier, account in draft.accounts.items():
            self._write(identifier, account)
        for job, amount in draft.escrows.items():
            self._write_escrow(job, amount)
        self._totals.pool += draft.reserves[Reserve.POOL]
        self._totals.burned += draft.reserves[Reserve.BURNED]
        assert self._totals.pool >= 0
        assert self.conserved(), "movements take exactly what they give"

    def check(self, movements: Sequence[Movement]) -> None:
        """Says whether all movements could be made, without making them.

        Raises:
            Rejected: `INSUFFICIENT_FUNDS` or `INSUFFICIENT_STAKE`.
        """
        self._drafted(movements)

    def _drafted(self, movements: Sequence[Movement]) -> "_Draft":
        draft = _Draft(self)
        for movement in movements:
            draft.make(movement)
        draft.check()
        return draft

    def advance_nonce(self, account: AccountId) -> None:
        """Uses up one position of an account's chain."""
        current = self.of(account)
        self._write(account, replace(current, nonce=Nonce(current.nonce + 1)))

    def mature(self, ledger_ms: Milliseconds) -> None:
        """Makes available all unbonding stake whose time has come."""
        while self._maturities and self._maturities[0][0] <= ledger_ms:
            release_ms, account = heappop(self._maturities)
            amount = _unbonding_at(self.of(account), release_ms)
            if amount:
                source = Released(account, release_ms)
                self.apply((Move(source, Available(account), Credits(amount)),))

    def take_changes(self) -> tuple[tuple[AccountId, Account], ...]:
        """Every account changed since the last call, ascending, as it is now."""
        changes = tuple((account, self.of(account)) for account in sorted(self._changed))
        self._changed.clear()
        return changes

    def _write(self, identifier: AccountId, account: Account) -> None:
        before, sums = self.of(identifier), self._totals
        sums.available += account.available - before.available
        sums.staked += account.staked - before.staked
        if account.unbonding is not before.unbonding:
            sums.unbonding += account.slashable - account.staked
            sums.unbonding -= before.slashable - before.staked
        for entry in account.unbonding:
            if not _unbonding_at(before, entry.release_ms):
                heappush(self._maturities, (entry.release_ms, identifier))
        self._accounts[identifier] = account
        self._changed[identifier] = None

    def _write_escrow(self, job: JobId, amount: Credits) -> None:
        self._totals.escrow += amount - self.escrow_of(job)
        if amount:
            self._escrows[job] = amount
        else:
            self._escrows.pop(job, None)


class _Draft:
    """The buckets that a batch touches, as they would become."""

    def __init__(self, accounts: Accounts) -> None:
        self._base = accounts
        self.accounts: dict[AccountId, Account] = {}
        self.escrows: dict[JobId, Credits] = {}
        self.reserves: dict[Reserve, int] = dict.fromkeys(Reserve, 0)

    def make(self, movement: Movement) -> None:
        if movement.amount < 0:
            raise Misuse("a movement has no negative amount")
        match movement:
            case Move(source, target, amount):
                self._add(source, -amount)
                self._add(target, amount)
            case Pledge(account, job, amount):
                current = self._of(account)
                others = tuple(pledge for pledge in current.pledges if pledge[0] != job)
                pledges = (*others, (job, amount)) if amount else others
                self.accounts[account] = replace(current, pledges=pledges)
            case _:
                assert_never(movement)

    def check(self) -> None:
        """Refuses a batch that pledges or withdraws more than an account's stake."""
        for account in self.accounts.values():
            if account.pledged > account.staked:
                raise Rejected(Reason.INSUFFICIENT_STAKE, "less stake than is pledged")

    def _of(self, account: AccountId) -> Account:
        return self.accounts.get(account) or self._base.of(account)

    def _add(self, bucket: Bucket, amount: int) -> None:
        match bucket:
            case Available(account):
                current = self._of(account)
                left = _not_negative(current.available + amount, Reason.INSUFFICIENT_FUNDS)
                self.accounts[account] = replace(current, available=left)
            case Staked(account):
                current = self._of(account)
                left = _not_negative(current.staked + amount, Reason.INSUFFICIENT_STAKE)
                self.accounts[account] = replace(current, staked=left)
            case Released(account, release_ms):
                current = self._of(account)
                self.accounts[account] = _with_unbonding(current, release_ms, amount)
            case Escrow(job, requester):
                self._add_escrow(job, requester, amount)
            case Reserve():
                self.reserves[bucket] += amount
            case _:
                assert_never(bucket)

    def _add_escrow(self, job: JobId, requester: AccountId, amount: int) -> None:
        held = self.escrows.get(job, self._base.escrow_of(job)) + amount
        assert held >= 0, "a job pays no more than it holds"
        self.escrows[job] = Credits(held)
        current = self._of(requester)
        self.accounts[requester] = replace(current, escrow=Credits(current.escrow + amount))


def burn(account: AccountId, amount: Credits) -> Move:
    """Takes an account's available credits out of circulation, as every fee does."""
    return Move(Available(account), Reserve.BURNED, amount)


def check_supply(genesis: Genesis) -> None:
    """Refuses a genesis whose amounts add up to more than can be counted.

    Raises:
        Misuse: The supply exceeds `SUPPLY_MAX`.
    """
    staked = sum(validator.stake for validator in genesis.validators)
    if staked + sum(one.amount for one in genesis.allocations) > SUPPLY_MAX:
        raise Misuse(f"a genesis gives out at most {SUPPLY_MAX} millionths")


@lru_cache(maxsize=1)
def _endowed(genesis: Genesis) -> Mapping[AccountId, Account]:
    """What a genesis gives to whom; the copies of a ledger in one process start from the same."""
    accounts: dict[AccountId, Account] = {}
    for validator in genesis.validators:
        account = accounts.get(validator.account, EMPTY)
        staked = Credits(account.staked + validator.stake)
        accounts[validator.account] = replace(account, staked=staked)
    for allocation in genesis.allocations:
        account = accounts.get(allocation.account, EMPTY)
        available = Credits(account.available + allocation.amount)
        accounts[allocation.account] = replace(account, available=available)
    return accounts


def _not_negative(amount: int, reason: Reason) -> Credits:
    if amount < 0:
        raise Rejected(reason, f"{-amount} millionths short")
    return Credits(amount)


def _unbonding_at(account: Account, release_ms: Milliseconds) -> int:
    return next((entry.amount for entry in account.unbonding if entry.release_ms == release_ms), 0)


def _with_unbonding(account: Account, release_ms: Milliseconds, change: int) -> Account:
    """Adds to or takes from the entry with this time of release; an empty one is dropped."""
    amount = _unbonding_at(account, release_ms) + change
    assert amount >= 0, "only what is unbonding can be taken from there"
    others = [entry for entry in account.unbonding if entry.release_ms != release_ms]
    if amount:
        others.append(Unbonding(Credits(amount), release_ms))
    return replace(account, unbonding=tuple(sorted(others, key=lambda entry: entry.release_ms)))
