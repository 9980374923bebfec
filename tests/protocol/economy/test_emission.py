"""Yield: exact to the millionth over a year, whoever is touched when, and paid from the pool."""

from random import Random

import pytest
from msgspec.structs import replace

from protocol.accounts import Accounts
from protocol.balances import YIELD_SCALE, Available, Move, Staked
from protocol.economy.emission import YEAR_MS, Emission, pay_epoch, rate_of, step_of
from protocol.economy.uptime import Attendance
from protocol.parameters import live
from protocol.units import CREDIT, Credits, Epoch, Milliseconds
from tests.support.builders import account_id, make_genesis

TERMS = replace(live(), uptime_epochs=1)
STEP_MS = Milliseconds(600_000)
ROUNDS = 100


def stake_all(available: int = 0) -> Accounts:
    """Two members with 1,000 credits of stake each."""
    return Accounts(make_genesis(2, stake=1_000 * CREDIT, available=max(1, available)))


def pay_year(accounts: Accounts, up: tuple[int, ...] = (), steps: int = 100) -> list[Emission]:
    attendance = Attendance()
    emissions = []
    for number in range(steps):
        epoch = Epoch(number)
        for one in up:
            attendance.count([account_id(one)] * ROUNDS)
        attendance.close(epoch, ROUNDS, (), (), TERMS)
        elapsed_ms = Milliseconds(YEAR_MS // steps)
        emissions.append(pay_epoch(accounts, attendance, epoch, elapsed_ms, TERMS))
        assert accounts.conserved()
        assert accounts.backed()
    return emissions


def touch(accounts: Accounts, number: int) -> int:
    """Pays out what is due by moving nothing; returns all that was ever earned."""
    account = account_id(number)
    accounts.apply((Move(Available(account), Staked(account), Credits(0)),))
    return accounts.of(account).accrual.earned


@pytest.mark.parametrize(
    ("staked", "rate_bp"), [(0, 1_200), (1, 1_196), (25, 1_100), (50, 1_000), (100, 800)]
)
def test_the_rate_falls_in_a_line_with_the_share_that_is_staked(staked: int, rate_bp: int) -> None:
    assert rate_of(Credits(staked), Credits(100), TERMS) == rate_bp


def test_a_year_at_full_stake_earns_8_percent_and_10_with_uptime() -> None:
    accounts = stake_all()
    pay_year(accounts, up=(0,), steps=1)
    assert [touch(accounts, number) for number in (0, 1)] == [100 * CREDIT, 80 * CREDIT]


def test_a_year_at_hardly_any_stake_earns_12_percent_and_15_with_uptime() -> None:
    accounts = Accounts(make_genesis(2, stake=1_000, available=10**15))
    pay_year(accounts, up=(0,), steps=1)
    assert accounts.minted == 149 + 119 + 1, "rounded down each, the rest is in the pool"
    assert [touch(accounts, number) for number in (0, 1)] == [149, 119]


def test_an_emission_says_from_what_it_was_computed() -> None:
    accounts = stake_all(available=1_000 * CREDIT)
    (emission,) = pay_year(accounts, up=(1,), steps=1)
    assert emission == Emission(
        epoch=Epoch(0),
        elapsed_ms=Milliseconds(YEAR_MS),
        staked=Credits(2_000 * CREDIT),
        supply=Credits(4_000 * CREDIT),
        rate_bp=1_000,
        index=YIELD_SCALE // 10,
        extra=YIELD_SCALE // 40,
        base=Credits(200 * CREDIT),
        bonus=Credits(25 * CREDIT),
        rewarded=(account_id(1),),
    )


def test_it_makes_no_difference_how_often_an_account_is_touched() -> None:
    often, seldom = stake_all(7), stake_all(7)
    for elapsed_ms in range(STEP_MS, STEP_MS + 500):
        for accounts in (often, seldom):
            yield_step = step_of(Credits(10**9), Credits(10**10), Milliseconds(elapsed_ms), TERMS)
            accounts.emit(yield_step)
        touch(often, 0)
    assert touch(often, 0) == touch(seldom, 0) > 0
    assert often.of(account_id(0)) == seldom.of(account_id(0))


def test_a_step_before_a_deposit_earns_nothing_for_it() -> None:
    accounts = stake_all(available=1_000 * CREDIT)
    pay_year(accounts, steps=1)
    account = account_id(0)
    accounts.apply((Move(Available(account), Staked(account), Credits(1_000 * CREDIT)),))
    assert accounts.of(account).accrual.earned == 100 * CREDIT


def test_a_step_without_stake_mints_nothing() -> None:
    assert step_of(Credits(0), Credits(0), STEP_MS, TERMS) == 0


def test_the_pool_holds_exactly_what_all_are_owed_whatever_happens() -> None:
    random = Random(5)  # noqa: S311  a fixed seed
    accounts = Accounts(make_genesis(7, stake=1_234_567, available=10**12))
    attendance, epoch = Attendance(), Epoch(0)
    moved = 0
    for _ in range(2_000):
        number, amount = random.randrange(7), Credits(random.randrange(1, 10**6))
        account = account_id(number)
        if random.random() < 0.3:
            attendance.count([account] * ROUNDS)
        if random.random() < 0.3:
            elapsed_ms = Milliseconds(random.randrange(1, 10**8))
            attendance.close(epoch, ROUNDS, (), (), TERMS)
            pay_epoch(accounts, attendance, epoch, elapsed_ms, TERMS)
            epoch = Epoch(epoch + 1)
        held = accounts.of(account)
        if held.staked >= amount:
            accounts.apply((Move(Staked(account), Available(account), amount),))
            moved += 1
        elif held.available >= 2 * amount:
            stake = Credits(2 * amount)
            accounts.apply((Move(Available(account), Staked(account), stake),))
        assert accounts.backed()
        assert accounts.conserved()
    assert accounts.recount() == accounts.totals
    assert moved > 500
    assert accounts.minted > 0
