"""Balances in double entry: the only file that moves credits.

Every credit lies in exactly one bucket. A `Move` takes from one bucket and adds to another, so the
sum over all buckets stays what genesis and emission put there. A batch of movements is checked as a
whole on a draft and then written, so a refused batch leaves no trace.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from heapq import heappop, heappush
from typing import Final, assert_never

from protocol.balances import (
    EMPTY,
    NOTHING,
    Account,
    Available,
    Bucket,
    Escrow,
    Move,
    Movement,
    Pledge,
    Released,
    Reserve,
    Reserves,
    Staked,
    Totals,
    unbonding_at,
    with_unbonding,
)
from protocol.errors import Misuse, Reason, Rejected
from protocol.messages import Genesis
from protocol.units import AccountId, Credits, JobId, Milliseconds, Nonce

SUPPLY_MAX: Final = 2**62
"""So that no amount or sum of amounts outgrows the 63 bits of a message's field."""


class Accounts:
    """All balances of a network; owned and changed by the state alone."""

    def __init__(self, genesis: Genesis) -> None:
        check_supply(genesis)
        self._accounts = dict(_endowed(genesis))
        self._escrows: dict[JobId, Credits] = {}
        self._totals = Totals()
        self._maturities: list[tuple[Milliseconds, AccountId]] = []
        self._changed: dict[AccountId, None] = dict.fromkeys(self._accounts)
        self._changed_escrows: dict[JobId, None] = {}
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
            amount = unbonding_at(self.of(account), release_ms)
            if amount:
                source = Released(account, release_ms)
                self.apply((Move(source, Available(account), Credits(amount)),))

    def take_changes(self) -> tuple[tuple[AccountId, Account], ...]:
        """Every account changed since the last call, ascending, as it is now."""
        changes = tuple((account, self.of(account)) for account in sorted(self._changed))
        self._changed.clear()
        return changes

    def take_escrow_changes(self) -> tuple[tuple[JobId, Credits | None], ...]:
        """Every escrow changed since the last call; None for an empty one."""
        changes = tuple((job, self._escrows.get(job)) for job in self._changed_escrows)
        self._changed_escrows.clear()
        return changes

    @property
    def reserves(self) -> Reserves:
        """What belongs to no account and no job."""
        return Reserves(self._totals.pool, self._totals.burned, self.minted)

    def items(self) -> Iterable[tuple[AccountId, Account]]:
        """Every account."""
        return self._accounts.items()

    def escrows(self) -> Iterable[tuple[JobId, Credits]]:
        """What each job holds, but for those that hold nothing."""
        return self._escrows.items()

    def clear(self) -> None:
        """Forgets what genesis gave, before the balances of a snapshot are loaded."""
        for held in (self._accounts, self._escrows, self._changed, self._changed_escrows):
            held.clear()
        self._maturities.clear()
        self._totals = Totals()

    def load(self, identifier: AccountId, account: Account) -> None:
        """Takes in an account of a snapshot."""
        self._write(identifier, account)
        del self._changed[identifier]

    def load_escrow(self, job: JobId, amount: Credits) -> None:
        """Takes in what a job holds in a snapshot."""
        self._write_escrow(job, amount)
        del self._changed_escrows[job]

    def load_reserves(self, reserves: Reserves) -> None:
        """Takes in the reserves of a snapshot."""
        self._totals.pool, self._totals.burned = reserves.pool, reserves.burned
        self.minted = Credits(reserves.minted)

    def _write(self, identifier: AccountId, account: Account) -> None:
        before, sums = self.of(identifier), self._totals
        sums.available += account.available - before.available
        sums.staked += account.staked - before.staked
        if account.unbonding is not before.unbonding:
            sums.unbonding += account.slashable - account.staked
            sums.unbonding -= before.slashable - before.staked
        for entry in account.unbonding:
            if not unbonding_at(before, entry.release_ms):
                heappush(self._maturities, (entry.release_ms, identifier))
        self._accounts[identifier] = account
        self._changed[identifier] = None

    def _write_escrow(self, job: JobId, amount: Credits) -> None:
        self._totals.escrow += amount - self.escrow_of(job)
        self._changed_escrows[job] = None
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
                self.accounts[account] = with_unbonding(current, release_ms, amount)
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
