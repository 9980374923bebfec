"""Audits: from which rate on honest work pays, what the rate costs, and what patience gains.

What a lone worker gains by honesty and by a lie is taken from whole jobs on the node's own state;
how often it is audited, and by whom, from the node's own rule and lottery.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from msgspec.structs import replace

from p2pnode.lab.experiments.experiment import (
    Chart,
    Effort,
    Expected,
    Experiment,
    Findings,
    Mark,
    Obtained,
    Row,
    Series,
    at_most,
    counted,
)
from p2pnode.lab.experiments.played_job import Played, Runner, account_of, offer_of
from p2pnode.lab.experiments.rates import DEVIATIONS, wilson
from protocol.encoding import digest_of
from protocol.job.crosscheck import DRAW_RANGE, audit_chance, chosen
from protocol.job.drawing import NUMBER_BYTES
from protocol.job.lottery import draw
from protocol.job.record import Duty, Job
from protocol.parameters import Parameters, live, minimal
from protocol.units import BASIS

EXPOSURES: Final = (2, 5, 20)
"""Pledges whose crossing is measured, in pays."""
STAKES: Final = (1, 2, 5, 10, 17, 20, 50)
"""Pledges at which a patient cheater tries its luck."""
FAULTS: Final = 2_000
"""Share of the auditors that cover up a lie, in basis points."""
COST: Final = 8_000
"""What a run costs a worker, of its pay, in basis points."""
CHEATS: Final = 200
"""How often a patient cheater lies, of ten thousand jobs."""
TOLERANCE: Final = 0.05
CIRCLE: Final = 10
"""Workers that an auditor is drawn from."""
LUCK_MAX: Final = 400
LONE: Final = 1
WORKERS: Final = 9
TRAINING: Final = 3


@dataclass(frozen=True, slots=True)
class Gains:
    """What one job brings a lone worker, in millionths, its own costs left out."""

    honest: int
    unseen: int
    """A lie that nobody audits."""
    covered: int
    """A lie whose auditor says the same."""
    caught: int


def terms_of(exposure: int, floor: int) -> Parameters:
    """Terms without bonuses, so that one pay is one pay, and with an audit rate of one's own.

    A fee as high as the pay lets the fees of three jobs cover what a lone one can earn.
    """
    return replace(
        minimal(),
        exposure_multiple=exposure,
        audit_floor=floor,
        checks_before_alone=1,
        checks_per_requester=1_000,
        uptime_bonus=0,
        speed_bonus=0,
        verified_bonus=0,
        audited_bonus=0,
        fee_share=BASIS,
    )


@cache
def gains_of(exposure: int) -> Gains:
    """Plays the four ways that a lone worker's job can go.

    Raises:
        AssertionError: One of them did not go that way, however lucky.
    """
    rare, always = terms_of(10**6, 0), terms_of(exposure, BASIS)
    return Gains(
        honest=_gain(rare, b"right", b"right", Duty.EXECUTOR),
        unseen=_gain(rare, b"wrong", b"right", Duty.EXECUTOR),
        covered=_gain(always, b"wrong", b"wrong", Duty.AUDITOR),
        caught=_gain(always, b"wrong", b"right", Duty.AUDITOR),
    )


def crossing(exposure: int, draws: int) -> tuple[float, int]:
    """Finds the audit rate at which a lie gains as much as honest work.

    Returns:
        It, and how often a lie was audited at that rate.
    """
    gains = gains_of(exposure)
    sampled = [_sampled(at) for at in range(draws)]
    honest = (gains.honest * BASIS - gains.honest * COST) * draws
    low, high = 0, DRAW_RANGE
    audited = 0
    while high - low > DRAW_RANGE // 10**6:
        rate = (low + high) // 2
        audits = [covers for number, covers in sampled if chosen(number, rate, DRAW_RANGE)]
        audited, covered = len(audits), sum(audits)
        gain = (draws - audited) * gains.unseen
        gain += covered * gains.covered + (audited - covered) * gains.caught
        low, high = (rate, high) if gain * BASIS > honest else (low, rate)
    return high / DRAW_RANGE, audited


def known_crossing(exposure: int) -> float:
    """The rate above which honest work pays: C / ((1 - r) (R + S)), with S in pays."""
    return (COST / BASIS) / ((1 - FAULTS / BASIS) * (1 + exposure))


@dataclass(slots=True)
class Career:
    """A lone worker's life of many jobs.

    Attributes:
        alone: Jobs that it ran without replicas.
        audits: How often it was audited in those.
        lies: How often it lied in them.
        caught: How often an audit showed that.
        profit: In ten-thousandths of a pay.
    """

    jobs: int = 0
    alone: int = 0
    audits: int = 0
    lies: int = 0
    caught: int = 0
    profit: int = 0


def career(exposure: int, jobs: int, *, cheats: int, by_checks_alone: bool = False) -> Career:
    """Plays a life in which a worker lies now and then, as soon as it works alone.

    Args:
        exposure: Its pledge, in pays.
        jobs: How many.
        cheats: Lies in ten thousand jobs that it runs alone.
        by_checks_alone: Audits only by the record: the control.
    """
    parameters = replace(live(), exposure_multiple=exposure)
    life, checks = Career(), 0
    for at in range(jobs):
        life.jobs += 1
        fate = _Fate(at)
        lone = checks >= parameters.checks_before_alone
        if not lone or not chosen(fate.alone, checks - 1, checks):
            checks += 1
            life.profit += BASIS - COST
            continue
        life.alone += 1
        lies = chosen(fate.lies, cheats, BASIS)
        life.lies += lies
        chance = (1, checks) if by_checks_alone else audit_chance(checks, parameters)
        audited = chosen(fate.audited, *chance)
        life.audits += audited
        is_caught = lies and audited and not chosen(fate.covered, FAULTS, BASIS)
        life.caught += is_caught
        checks = 0 if is_caught else checks + audited
        life.profit += _profit(exposure, lies=lies, caught=is_caught)
    return life


def measure(effort: Effort) -> Findings:
    """Measures crossings, the cost of audits, and cheaters' lives."""
    rows = [_crossing_row(exposure, effort.of(100_000, 4_000)) for exposure in EXPOSURES]
    jobs = effort.of(200_000, 20_000)
    honest = career(live().exposure_multiple, jobs, cheats=0)
    share = round(honest.audits / (honest.jobs + honest.audits), 5)
    what = "an honest worker's life, from no record on: runs by auditors, of all runs"
    rows.append(Row(what, at_most(0.06), counted(share, honest.jobs, honest.audits)))
    lives = [(stake, career(stake, jobs, cheats=CHEATS)) for stake in STAKES]
    fair = 1 - COST / BASIS
    for stake, life in lives:
        what = (
            f"2 % lies at a pledge of {stake} pays: profit per job, of which honesty has {fair:g}"
        )
        gain = round(life.profit / BASIS / life.jobs, 5)
        expected = Expected(f"< {fair:g}", -100, round(fair - 1 / 10**5, 5))
        rows.append(Row(what, expected, counted(gain, life.jobs, life.caught)))
    patient = career(17, jobs, cheats=CHEATS, by_checks_alone=True)
    what = "control, audits by the record alone, 2 % lies at a pledge of 17 pays: profit per job"
    gain = round(patient.profit / BASIS / patient.jobs, 5)
    more = Expected(f"> {fair:g}", fair, 1)
    rows.append(Row(what, more, counted(gain, patient.jobs, patient.lies)))
    return Findings(tuple(rows), (_chart(lives, fair),))


def _crossing_row(exposure: int, draws: int) -> Row:
    rate, audited = crossing(exposure, draws)
    known = round(known_crossing(exposure), 5)
    expected = Expected(
        f"{known:g} ± {100 * TOLERANCE:.0f} %", known * (1 - TOLERANCE), known * (1 + TOLERANCE)
    )
    what = f"a pledge of {exposure} pays: audit rate from which on honest work pays"
    low, high = (one * draws / audited for one in wilson(audited, draws, DEVIATIONS))
    obtained = Obtained(round(rate, 5), rate * low, rate * high, draws, audited)
    return Row(what, expected, obtained)


def _gain(parameters: Parameters, says: bytes, auditor: bytes, duty: Duty) -> int:
    """Plays until a trained worker is alone and is audited or spared as is asked for."""
    for luck in range(LUCK_MAX):
        town = Played(parameters, WORKERS, luck)
        everybody = {one: Runner(one, parameters) for one in range(1, WORKERS + 1)}
        both = offer_of(parameters, replicas=2, replicas_max=2)
        for _ in range(TRAINING):
            town.play(both, (LONE, LONE + 1), everybody)
        before = town.wealth(LONE)
        single = offer_of(parameters, replicas=1, replicas_max=6, tolerated_error_ppm=50_000)
        others = {one: Runner(one, parameters, auditor) for one in range(2, WORKERS + 1)}
        lone = Runner(LONE, parameters, says)
        job = town.play(single, (LONE, *others), {**others, LONE: lone})
        if _is_alone(job) and _last_duty(job) is duty:
            return town.wealth(LONE) - before
    raise AssertionError("no job went as was asked for")


def _is_alone(job: Job) -> bool:
    first = job.executors[0].account if job.executors else None
    return job.draw is not None and first == account_of(LONE) and _began_alone(job)


def _began_alone(job: Job) -> bool:
    begun = {one.called_ms for one in job.executors if one.duty is Duty.EXECUTOR}
    first = [one for one in job.executors if one.called_ms == min(begun)]
    return len(first) == 1


def _last_duty(job: Job) -> Duty:
    duties = [one.duty for one in job.executors]
    return Duty.AUDITOR if Duty.AUDITOR in duties else Duty.EXECUTOR


@cache
def _sampled(at: int) -> tuple[int, bool]:
    """Draws an audit's number, and whether the auditor would cover a lie up."""
    seed = digest_of(b"audit experiment", b"%d" % at)
    (auditor,) = draw(seed, _circle(), 1)
    return int.from_bytes(seed[:NUMBER_BYTES], "big"), auditor in _covering()


@cache
def _circle() -> dict[bytes, int]:
    return {digest_of(b"auditor", b"%d" % one): 1_000 for one in range(CIRCLE)}


@cache
def _covering() -> frozenset[bytes]:
    return frozenset(list(_circle())[: CIRCLE * FAULTS // BASIS])


class _Fate:
    """Four numbers of 64 bits that decide how one job of a life goes."""

    def __init__(self, at: int) -> None:
        raw = digest_of(b"career", b"%d" % at)
        parts = [int.from_bytes(raw[one : one + 8], "big") for one in range(0, 32, 8)]
        self.alone, self.lies, self.audited, self.covered = parts


def _profit(exposure: int, *, lies: bool, caught: bool) -> int:
    """One job's profit in ten-thousandths of a pay, as `gains_of` has it for whole jobs."""
    if caught:
        return -exposure * BASIS
    return BASIS if lies else BASIS - COST


def _chart(lives: list[tuple[int, Career]], fair: float) -> Chart:
    honest = tuple((float(stake), fair) for stake in STAKES)
    gains = tuple((float(stake), one.profit / BASIS / one.jobs) for stake, one in lives)
    return Chart(
        "A worker that lies in 2 % of its jobs",
        "pledge, in pays",
        "profit per job, in pays",
        (Series("honest", Mark.LINE, honest), Series("patient cheater", Mark.DOTS, gains)),
        is_log=True,
    )


EXPERIMENT: Final = Experiment(
    name="audits",
    title="Honest work and the rate of audits",
    question="From which rate of audits on does honest work pay, and what does that rate cost?",
    method=(
        "Whole jobs of a lone worker on the node's own state, "
        "`p2pnode/lab/experiments/played_job.py`, give its gain by honesty, by a lie that nobody "
        "audits, by one that is covered up and by one that is convicted; `chosen` and `draw` in "
        "`protocol/job/` say how often each comes. A run costs four fifths of its pay, and a fifth "
        "of the auditors lie. For the others, `audit_chance` decides under the terms of `live`, "
        "but for the pledge; a cheater lies in 2 % of the jobs that it runs alone, and begins anew "
        "after it is caught."
    ),
    bite="lies that were audited, or caught; for the honest worker its audits",
    source=(
        "Zhang et al., Proof of Sampling, arXiv 2405.00295 (2024): p > C / ((1 - r)(R + S)), with "
        "cost C, pay R, pledge S and a share r of dishonest auditors"
    ),
    caption="Line: honest work. Dots: what a patient cheater has per job.",
    measure=measure,
    table="TRUST.md",
)
