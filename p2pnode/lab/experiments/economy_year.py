"""A year of the economy: supply, what is burned, yield and the share that is staked.

The node's own code of balances, emission and attendance takes every epoch; only the
people are invented. What must come out is known from the rate alone, as a differential equation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from p2pnode.lab.experiments.experiment import (
    Chart,
    Effort,
    Experiment,
    Findings,
    Mark,
    Point,
    Row,
    Series,
    counted,
    exactly,
    within,
)
from protocol.accounts import Accounts
from protocol.balances import Available, Move, Staked, burn
from protocol.economy.emission import YEAR_MS, Emission, pay_epoch
from protocol.economy.uptime import Attendance
from protocol.messages import Allocation, Genesis, Validator
from protocol.parameters import live
from protocol.simulator.chance import Stream
from protocol.units import BASIS, CREDIT, AccountId, Credits, Epoch, Milliseconds

TERMS: Final = live()
DAY_MS: Final = YEAR_MS // 365
SUPPLY: Final = 100_000_000 * CREDIT
MEMBERS: Final = 16
ROUNDS: Final = 100
"""In an epoch; only shares of them count."""
PAYOUTS_A_DAY: Final = 400_000 * CREDIT
"""Earned by jobs in a day; the fee on them is burned."""
HOLDER: Final = AccountId(bytes(31) + b"\xff")
"""Has all that the members do not, and stakes it little by little."""
DEPOSIT_EVERY_DAYS: Final = 7
DEPOSIT: Final = SUPPLY // 100
POINTS: Final = 73
"""Shown in a line of the plot."""

People = Callable[[int, Accounts, Attendance], None]
"""What happens in an epoch, by its number."""


@dataclass(slots=True)
class Year:
    """What a year came to.

    Attributes:
        emissions: One for each epoch.
        burned: All that was burned until the end of each epoch.
        broken: Epochs after which the buckets did not add up.
    """

    accounts: Accounts
    emissions: list[Emission]
    burned: list[int]
    broken: int = 0


def measure(effort: Effort) -> Findings:
    """Plays the years whose answer is known, and one in which people come and go."""
    epochs = effort.of(YEAR_MS // TERMS.epoch_ms, 1_460)
    rows = []
    for percent in (1, 25, 50, 100):
        year = play(percent, epochs, _nobody)
        earned = sum(one.base for one in year.emissions) / (SUPPLY * percent / 100)
        what = f"{percent} % staked all year, nobody up: yield of the stake (%)"
        known = within(round(100 * known_yield(percent), 4), 0.001)
        rows.append(Row(what, known, counted(100 * earned, epochs, _paid(year))))
    year = play(25, epochs, _half_up)
    up, others = (_earned(year, number) for number in (0, 1))
    what = "25 % staked, half of it up: yield of those who are up, to that of the others"
    rewarded = sum(bool(one.rewarded) for one in year.emissions)
    late = -(-TERMS.uptime_min * TERMS.uptime_epochs // BASIS) - 1
    ratio = 1 + TERMS.yield_uptime_bonus / BASIS * (epochs - late) / epochs
    rows.append(Row(what, within(round(ratio, 4), 0.0005), counted(up / others, epochs, rewarded)))
    lively = play(20, epochs, _lively())
    outside = sum(not 800 <= one.rate_bp <= 1_200 for one in lively.emissions)
    what = "a lively year: epochs with a rate outside of 8 to 12 %"
    rows.append(Row(what, exactly(0), counted(outside, epochs, _paid(lively))))
    what = "a lively year: epochs after which the buckets do not add up"
    rows.append(Row(what, exactly(0), counted(lively.broken, epochs, _paid(lively))))
    return Findings(tuple(rows), _charts(lively), (_told(lively),))


def known_yield(percent: int) -> float:
    """The yield of a year by the differential equation of the rate, solved in small steps."""
    staked, supply, earned = percent / 100, 1.0, 0.0
    most, least = TERMS.yield_most / BASIS, TERMS.yield_least / BASIS
    parts = 100_000
    for _ in range(parts):
        rate = most - (most - least) * staked / supply
        earned += rate / parts
        supply += staked * rate / parts
    return earned


def play(percent: int, epochs: int, people: People) -> Year:
    """Plays a year in which so much is staked at first, in equal parts."""
    accounts = Accounts(_genesis(percent))
    attendance = Attendance()
    year = Year(accounts, [], [])
    for number in range(epochs):
        people(number * YEAR_MS // epochs, accounts, attendance)
        elapsed_ms = Milliseconds((number + 1) * YEAR_MS // epochs - number * YEAR_MS // epochs)
        attendance.close(Epoch(number), ROUNDS, (), (), TERMS)
        year.emissions.append(pay_epoch(accounts, attendance, Epoch(number), elapsed_ms, TERMS))
        year.burned.append(accounts.totals.burned)
        year.broken += not (accounts.conserved() and accounts.backed())
    return year


def _genesis(percent: int) -> Genesis:
    stake = SUPPLY * percent // 100 // MEMBERS
    rest = SUPPLY - stake * MEMBERS
    return Genesis(
        name="year",
        time_ms=0,
        seed=bytes(32),
        parameters=TERMS,
        validators=tuple(Validator(_member(n), _member(n), stake) for n in range(MEMBERS)),
        allocations=(Allocation(HOLDER, rest),) if rest else (),
        faucet=None,
    )


def _member(number: int) -> AccountId:
    return AccountId(bytes(31) + bytes([number]))


def _nobody(_: int, __: Accounts, ___: Attendance) -> None:
    """Nobody is there, and nobody does anything."""


def _half_up(_: int, __: Accounts, attendance: Attendance) -> None:
    for number in range(0, MEMBERS, 2):
        attendance.count([_member(number)] * ROUNDS)


def _lively() -> People:
    """Members that are away now and then, jobs every day, and a holder that stakes every week."""
    draw = Stream(1, "economy year")
    days: list[int] = []

    def people(at_ms: int, accounts: Accounts, attendance: Attendance) -> None:
        for number in range(MEMBERS):
            if draw.below(100) >= number:
                attendance.count([_member(number)] * ROUNDS)
        today = at_ms // DAY_MS
        if days and days[-1] == today:
            return
        days.append(today)
        fee = Credits(PAYOUTS_A_DAY * TERMS.fee_share // BASIS)
        accounts.apply((burn(HOLDER, fee),))
        if today % DEPOSIT_EVERY_DAYS == 0:
            accounts.apply((Move(Available(HOLDER), Staked(HOLDER), Credits(DEPOSIT)),))

    return people


def _paid(year: Year) -> int:
    return sum(one.base > 0 for one in year.emissions)


def _earned(year: Year, number: int) -> int:
    account = _member(number)
    year.accounts.apply((Move(Available(account), Staked(account), Credits(0)),))
    return year.accounts.of(account).accrual.earned


def _told(year: Year) -> str:
    first, last = year.emissions[0], year.emissions[-1]
    base, bonus = (sum(amounts) for amounts in zip(*_minted(year), strict=True))
    growth = 100 * (base + bonus - year.burned[-1]) / SUPPLY
    return (
        f"In the lively year the staked share went from {_share(first):.0f} to {_share(last):.0f} %"
        f" and the rate from {first.rate_bp / 100:.2f} to {last.rate_bp / 100:.2f} %;"
        f" {_millions(base):.2f} million were minted for all stake, {_millions(bonus):.2f} million "
        f"more for uptime, {_millions(year.burned[-1]):.2f} million were burned, and the supply "
        f"grew by {growth:.2f} %."
    )


def _minted(year: Year) -> list[tuple[int, int]]:
    return [(one.base, one.bonus) for one in year.emissions]


def _share(emission: Emission) -> float:
    return 100 * emission.staked / emission.supply


def _millions(amount: int) -> float:
    return amount / CREDIT / 1_000_000


def _charts(year: Year) -> tuple[Chart, ...]:
    epochs = len(year.emissions)
    shown = sorted({number * (epochs - 1) // (POINTS - 1) for number in range(POINTS)})
    minted, total = [], 0
    for one in year.emissions:
        total += one.base + one.bonus
        minted.append(total)

    def line(label: str, value: Callable[[int], float]) -> Series:
        points: tuple[Point, ...] = tuple((365 * one / epochs, value(one)) for one in shown)
        return Series(label, Mark.LINE, points)

    supply = Chart(
        "Where money comes from and goes",
        "day",
        "millions of credits",
        (
            line("minted", lambda one: _millions(minted[one])),
            line("burned", lambda one: _millions(year.burned[one])),
            line("supply, beyond 100", lambda one: _millions(year.emissions[one].supply) - 100),
        ),
    )
    staked = Chart(
        "What is staked",
        "day",
        "share of the supply (%)",
        (line("staked", lambda one: _share(year.emissions[one])),),
    )
    rate = Chart(
        "What stake earns",
        "day",
        "yield (% a year)",
        (
            line("without the bonus", lambda one: year.emissions[one].rate_bp / 100),
            line("with it", lambda one: year.emissions[one].rate_bp / 80),
        ),
    )
    return supply, staked, rate


EXPERIMENT: Final = Experiment(
    name="economy-year",
    title="A year of the economy",
    question="Does stake earn in a year what its rate says, and does every credit stay somewhere?",
    method=(
        "`protocol/economy/emission.py` pays every epoch of a year on `protocol/accounts.py` and "
        "`protocol/economy/uptime.py`, under the terms of `live`. In the lively year 16 members "
        "hold 20 % of 100 million; member n misses n % of the epochs. Jobs pay out 400,000 a "
        "day. A holder stakes one million every week."
    ),
    bite="epochs in which yield was minted, for the ratio those with a bonus",
    source=(
        "the rate is r = 12 % - 4 % S/M; with S staked for good, M' = S r is solved in 100,000 "
        "steps of floating point, apart from the integers of the node"
    ),
    caption="The lively year: amounts, staked share and yearly yield, day by day.",
    measure=measure,
    table="MARKET.md",
)
