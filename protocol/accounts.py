"""Balances in double entry: the only file that moves credits.

Every credit lies in exactly one bucket. A `Move` takes from one bucket and adds to another, so the
sum over all buckets stays what genesis and emission put there. A batch of movements is checked as a
whole on a draft and then written, so a refused batch leaves no trace.

Yield costs nothing per account: one index says what a staked unit has earned since genesis, each
account remembers how far it was paid, and whatever touches an account pays it out of the pool
first. So the pool holds, to the fraction of a unit, what all accounts together are owed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from heapq import heappop, heappush
from typing import assert_never

from protocol.balances import (
    EMPTY,
    NOTHING,
    YIELD_SCALE,
    Account,
    Accrual,
    Available,
    Bucket,
    Custody,
    Entrust,
    Escrow,
    Move,
    Movement,
    Pledge,
    Released,
    Reserve,
    Reserves,
    Staked,
    Totals,
    Unbonding,
    unbonding_at,
)
from protocol.endowment import check_endowment, supply_of
from protocol.errors import Misuse, Reason, Rejected
from protocol.messages import Genesis
from protocol.units import AccountId, Credits, JobId, Milliseconds, Nonce


class Accounts:
    """All balances of a network; owned and changed by the state alone."""

    def __init__(self, genesis: Genesis, *, is_endowed: bool = True) -> None:
        """Gives everybody what genesis says; not where the balances of a snapshot come instead."""
        check_endowment(genesis)
        self._accounts = dict(_endowed(genesis)) if is_endowed else {}
        self._escrows: dict[JobId, Credits] = {}
        self._totals = Totals()
        self._maturities: list[tuple[Milliseconds, AccountId]] = []
        self._changed: dict[AccountId, None] = dict.fromkeys(self._accounts)
        self._changed_escrows: dict[JobId, None] = {}
        self._fraction = 0
        self.yield_index = 0
        """Yield of one staked unit since genesis, in parts of `YIELD_SCALE`."""
        self.minted = NOTHING
        """Created after genesis, all of it as yield."""
        self._totals = self.recount()
        self.genesis_supply = supply_of(genesis)
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

    @property
    def supply(self) -> Credits:
        """Every credit that exists and was not burned."""
        return Credits(self._totals.all - self._totals.burned)

    def conserved(self) -> bool:
        """Whether every credit is accounted for; costs nothing, as the sums are kept."""
        return self._totals.all == self.genesis_supply + self.minted

    def backed(self) -> bool:
        """Whether the pool holds exactly what is owed; in time proportional to the accounts."""
        owed = sum(account.due(self.yield_index) for account in self._accounts.values())
        return owed == self._totals.pool * YIELD_SCALE + self._fraction

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
        mine = (self._accounts, self._escrows, self._totals, *self._issued())
        return mine == (other._accounts, other._escrows, other._totals, *other._issued())

    def _issued(self) -> tuple[int, ...]:
        return (self.minted, self.genesis_supply, self.yield_index, self._fraction)

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
        self.minted = Credits(self.minted - draft.reserves[Reserve.ISSUE])
        assert self._totals.pool >= 0, "the pool owes no more than was emitted"
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

    def emit(self, yield_step: int) -> Credits:
        """Mints the same yield for every staked unit into the pool, whoever holds it.

        Args:
            yield_step: What each unit earns, in parts of `YIELD_SCALE`.

        Returns:
            What was minted; a fraction of a unit is carried to the next time.
        """
        self.yield_index += yield_step
        return self._mint(self._totals.staked * yield_step)

    def reward(self, account: AccountId, yield_step: int) -> Credits:
        """Mints further yield for the stake of one account; see `emit`.

        The account then counts as paid up to a lower index than it was.
        """
        current = self.of(account)
        accrual = replace(current.accrual, index=current.accrual.index - yield_step)
        minted = self._mint(current.staked * yield_step)
        self._write(account, replace(current, accrual=accrual))
        return minted

    def _mint(self, parts: int) -> Credits:
        amount, self._fraction = divmod(parts + self._fraction, YIELD_SCALE)
        self.apply((Move(Reserve.ISSUE, Reserve.POOL, Credits(amount)),))
        return Credits(amount)

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
        sums = self._totals
        return Reserves(sums.pool, sums.burned, self.minted, self.yield_index, self._fraction)

    def items(self) -> Iterable[tuple[AccountId, Account]]:
        """Every account."""
        return self._accounts.items()

    def escrows(self) -> Iterable[tuple[JobId, Credits]]:
        """What each job holds, but for those that hold nothing."""
        return self._escrows.items()

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
        self.yield_index, self._fraction = reserves.yield_index, reserves.fraction

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
        match movement:
            case Move(source, target, amount):
                if amount < 0:
                    raise Misuse("a movement has no negative amount")
                self._hold_back(source, target, amount)
                self._add(source, -amount)
                self._add(target, amount)
            case Entrust(account, custody):
                self.accounts[account] = replace(self._of(account), custody=custody)
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

    def _hold_back(self, source: Bucket, target: Bucket, amount: Credits) -> None:
        """Lets money of an account in custody go only where its withdrawal key allows.

        Raises:
            Rejected: `WITHDRAWAL_KEY` or `OVER_ALLOWANCE`.
        """
        match source, target:
            case Available(account), Staked(other) | Available(other) if account != other:
                custody = self._of(account).custody
                if custody is not None and other != custody.key:
                    raise Rejected(Reason.WITHDRAWAL_KEY)
            case Available(account), Escrow() | Reserve():
                self._change_allowance(account, -amount)
            case Escrow(requester=requester), Available(account) if account == requester:
                self._change_allowance(account, amount)
            case _:
                return

    def _change_allowance(self, identifier: AccountId, change: int) -> None:
        account = self._of(identifier)
        custody = account.custody
        if custody is None:
            return
        left = _not_negative(custody.allowance + change, Reason.OVER_ALLOWANCE)
        self.accounts[identifier] = replace(account, custody=replace(custody, allowance=left))

    def _of(self, identifier: AccountId) -> Account:
        """An account as it would become, its yield paid before anything else happens to it."""
        known = self.accounts.get(identifier)
        if known is not None:
            return known
        stored, index = self._base.of(identifier), self._base.yield_index
        paid, fraction = divmod(stored.due(index), YIELD_SCALE)
        self.reserves[Reserve.POOL] -= paid
        accrual = Accrual(index, fraction, Credits(stored.accrual.earned + paid))
        account = replace(stored, available=Credits(stored.available + paid), accrual=accrual)
        self.accounts[identifier] = account
        return account

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
    for one in genesis.custodies:
        account = accounts.get(one.account, EMPTY)
        custody = Custody(one.key, Credits(one.allowance))
        accounts[one.account] = replace(account, custody=custody)
    return accounts


def _not_negative(amount: int, reason: Reason) -> Credits:
    if amount < 0:
        raise Rejected(reason, f"{-amount} millionths short")
    return Credits(amount)


def _with_unbonding(account: Account, release_ms: Milliseconds, change: int) -> Account:
    """Adds to or takes from the entry with this time of release; an empty one is dropped."""
    amount = unbonding_at(account, release_ms) + change
    assert amount >= 0, "only what is unbonding can be taken from there"
    others = [entry for entry in account.unbonding if entry.release_ms != release_ms]
    if amount:
        others.append(Unbonding(Credits(amount), release_ms))
    return replace(account, unbonding=tuple(sorted(others, key=lambda entry: entry.release_ms)))
