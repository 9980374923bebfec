"""Credibility voting: how often a wrong result is accepted, and what it costs in runs.

Workers begin without a record. Liars always lie, all alike. The node's own code weighs what workers
found, says how many begin and how many more are called, and keeps their records. Voting until one
result has so many votes stands beside it as a control.
"""

import dataclasses
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import comb
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
    exactly,
)
from p2pnode.lab.experiments.played_job import offer_of
from p2pnode.lab.experiments.rates import mean, rate
from protocol.balances import Account
from protocol.economy.reputation import NEWCOMER, Reputation, after_right, after_wrong, odds
from protocol.encoding import digest_of
from protocol.job.crosscheck import compare, spares_needed
from protocol.job.drawing import replicas_to_begin
from protocol.job.position import origin
from protocol.job.record import Circumstances, Duty, Executor, Job, Phase, Status
from protocol.parameters import Parameters, live
from protocol.simulator.chance import Stream
from protocol.units import AccountId, CommitIndex, Credits, Digest, JobId, Milliseconds

FAULTS: Final = (10, 20, 35)
"""Percent of the workers that lie, and that the network assumes to."""
ERRORS_PPM: Final = (50_000, 10_000, 1_000)
RUNS: Final = {50_000: 3.0, 10_000: 3.7, 1_000: 4.7}
"""Runs per job as told for a third and a bit of liars."""
VOTES: Final = {50_000: (15, 23), 10_000: (29, 45), 1_000: (51, 78)}
"""Votes that decide, and about how many runs it takes to get there."""
TOLERANCE: Final = 0.15
WORKERS: Final = 200
JOBS: Final = 1_000
"""In the life of one network: five for each worker."""
MOST: Final = 64
"""Workers drawn for a job: none here needs more."""
MILLION: Final = 1_000_000
RIGHT, WRONG = Digest(bytes(32)), Digest(b"\xff" * 32)
NOW_MS: Final = Milliseconds(0)
WORKER_IDS: Final = tuple(AccountId(digest_of(b"worker", b"%d" % n)) for n in range(WORKERS))


@cache
def terms_of(percent: int) -> Parameters:
    """The terms of `live`, with another share of faults."""
    return replace(live(), assumed_fault_share=100 * percent)


@dataclass(slots=True)
class Network:
    """Workers with their records, of whom the first ones lie.

    Attributes:
        percent: How many are assumed to lie.
        lying: How many do.
        runs: How many each job took.
        wrong: Lies that were accepted.
        lies: Jobs that a liar was drawn for.
        undecided: Jobs that ended without a result.
    """

    percent: int
    error_ppm: int
    number: int
    lying: int
    records: dict[AccountId, Reputation] = field(default_factory=dict)
    runs: list[int] = field(default_factory=list)
    wrong: int = 0
    lies: int = 0
    undecided: int = 0

    @property
    def terms(self) -> Parameters:
        """The terms of `live`, with the share of faults that there is."""
        return terms_of(self.percent)

    def record(self, account: AccountId) -> Reputation:
        """A worker's record."""
        return self.records.get(account, NEWCOMER)

    def play(self, at: int) -> None:
        """Plays one job, whose requester is a new one: nobody farms records here."""
        seed = digest_of(b"credibility", *(b"%d" % n for n in (self.percent, self.number, at)))
        shuffled = Stream(at, "credibility", self.number).shuffled(WORKER_IDS)
        order = list(shuffled[:MOST])
        liars = frozenset(WORKER_IDS[: WORKERS * self.lying // 100])
        job = self._job(seed, tuple(order))
        wanted = replicas_to_begin(job, self._circumstances(seed))
        assert wanted is not None, "so many workers reach every error here"
        more: int | None = wanted
        while more is not None:
            done = dataclasses.replace(
                job, executors=tuple(self._executor(one, liars) for one in order[:wanted])
            )
            balance = compare(done, self.terms)
            if balance.reaches(self.error_ppm):
                break
            spares = [odds(self.record(one).checks, self.terms) for one in order[wanted:]]
            more = spares_needed(balance, spares, self.error_ppm)
            wanted += more or 0
        self.runs.append(wanted)
        self.lies += not liars.isdisjoint(order[:wanted])
        if more is None:  # nobody who is left could decide it, so that it ends without a result
            self.undecided += 1
            return
        accepted = [one.account for one in balance.members[0]]
        self.wrong += accepted[0] in liars
        for account in order[:wanted]:
            self._note(account, accepted, AccountId(seed))

    def _note(self, account: AccountId, accepted: list[AccountId], requester: AccountId) -> None:
        before = self.record(account)
        is_checked = len(accepted) > 1
        self.records[account] = (
            after_right(before, requester, NOW_MS, self.terms, checked=is_checked)
            if account in accepted
            else after_wrong(before)
        )

    def _circumstances(self, beacon: Digest) -> Circumstances:
        return Circumstances(
            self.terms,
            origin(beacon),
            lambda _: Account(),
            self.record,
            lambda _: True,
            lambda _, __: (),
            lambda _, __: (),
        )

    def _job(self, seed: Digest, spares: tuple[AccountId, ...]) -> Job:
        terms = {"tolerated_error_ppm": self.error_ppm, "replicas": 1, "replicas_max": MOST}
        return Job(
            identifier=JobId(seed),
            requester=AccountId(seed),
            offer=offer_of(self.terms, **terms),
            opened_index=CommitIndex(1),
            phase=Phase.COMPARING,
            timeline=(),
            round_awaited=None,
            spares=spares,
        )

    def _executor(self, account: AccountId, liars: frozenset[AccountId]) -> Executor:
        return Executor(
            account=account,
            duty=Duty.EXECUTOR,
            price=Credits(1),
            device="cpu",
            estimate_ms=NOW_MS,
            exposure=Credits(1),
            checks=self.record(account).checks,
            called_ms=NOW_MS,
            deadline_ms=NOW_MS,
            status=Status.COMMITTED,
            fingerprint=WRONG if account in liars else RIGHT,
        )


def measure(effort: Effort) -> Findings:
    """Plays networks of every share of liars and every tolerated error."""
    networks = effort.of(8, 1)
    rows, lines, undecided = [], [], 0
    for percent in FAULTS:
        for error_ppm in ERRORS_PPM:
            played = [play(percent, error_ppm, number) for number in range(networks)]
            rows.append(_error_row(percent, error_ppm, played))
            undecided += sum(one.undecided for one in played)
            if percent == FAULTS[-1]:
                rows.append(_runs_row(percent, error_ppm, played))
                lines.append(_line(error_ppm, played))
    percent = FAULTS[-1]
    rows.append(_careless_row(networks))
    for error_ppm in ERRORS_PPM:
        rows += _control_rows(percent, error_ppm)
    played_jobs = len(FAULTS) * len(ERRORS_PPM) * networks * JOBS
    remark = f"{undecided} of {played_jobs:,} jobs ended without a result."
    return Findings(tuple(rows), (_chart(lines),), (remark,))


def play(percent: int, error_ppm: int, number: int, lying: int | None = None) -> Network:
    """Plays the life of one network, in which as many lie as is assumed, or else so many."""
    network = Network(percent, error_ppm, number, percent if lying is None else lying)
    for at in range(JOBS):
        network.play(at)
    return network


def wrong_first(votes: int, percent: int) -> Fraction:
    """The chance that liars, all alike, have so many votes before the others do; exact."""
    lie, cast = Fraction(percent, 100), 2 * votes - 1
    return sum(
        (comb(cast, one) * lie**one * (1 - lie) ** (cast - one) for one in range(votes, cast + 1)),
        start=Fraction(0),
    )


def runs_to(votes: int, percent: int) -> Fraction:
    """How many votes are cast on average until one side has so many; exact."""
    lie, runs = Fraction(percent, 100), Fraction(0)
    for others in range(votes):
        cast = votes + others
        ways = comb(cast - 1, others)
        ends = lie**votes * (1 - lie) ** others + (1 - lie) ** votes * lie**others
        runs += cast * ways * ends
    return runs


def votes_needed(error_ppm: int, percent: int) -> int:
    """The fewest votes whose side is wrong no more often than is tolerated."""
    votes = 1
    while wrong_first(votes, percent) * MILLION > error_ppm:
        votes += 1
    return votes


def _error_row(percent: int, error_ppm: int, played: list[Network]) -> Row:
    trials = sum(len(one.runs) for one in played)
    lies = sum(one.lies for one in played)
    obtained = rate(sum(one.wrong for one in played), trials, lies)
    what = f"{percent} % liars, {error_ppm / 10_000:g} % tolerated: wrong results accepted"
    return Row(what, at_most(error_ppm / MILLION), obtained)


def _careless_row(networks: int) -> Row:
    """A control: the bound must not hold where more lie than is assumed."""
    assumed, lying, error_ppm = FAULTS[0], FAULTS[-1], ERRORS_PPM[0]
    played = [play(assumed, error_ppm, number, lying) for number in range(networks)]
    what = (
        f"control, {lying} % liars where {assumed} % are assumed, {error_ppm / 10_000:g} % "
        "tolerated: wrong results accepted"
    )
    row = _error_row(lying, error_ppm, played)
    return Row(what, Expected(f"> {error_ppm / MILLION:g}", error_ppm / MILLION, 1), row.obtained)


def _runs_row(percent: int, error_ppm: int, played: list[Network]) -> Row:
    known = RUNS[error_ppm]
    low, high = known * (1 - TOLERANCE), known * (1 + TOLERANCE)
    expected = Expected(f"{known:g} ± {100 * TOLERANCE:.0f} %", low, high)
    runs = [run for one in played for run in one.runs]
    obtained = mean(runs, sum(one.lies for one in played))
    what = f"{percent} % liars, {error_ppm / 10_000:g} % tolerated: runs per job"
    return Row(what, expected, obtained)


def _control_rows(percent: int, error_ppm: int) -> tuple[Row, Row]:
    votes, runs = VOTES[error_ppm]
    needed = votes_needed(error_ppm, percent)
    name = f"control, first to so many votes, {percent} % liars, {error_ppm / 10_000:g} % tolerated"
    wrong = int(wrong_first(needed, percent) * MILLION)
    cast = float(runs_to(needed, percent))
    return (
        Row(f"{name}: votes", exactly(votes), counted(needed, needed, wrong)),
        Row(f"{name}: runs per job", Expected(f"{runs} ± 1", runs - 1, runs + 1), _exact(cast)),
    )


def _exact(value: float) -> Obtained:
    return counted(round(value, 2), 1, 1)


def _line(error_ppm: int, played: list[Network]) -> Series:
    parts, points = 10, []
    for part in range(parts):
        cut = slice(part * JOBS // parts, (part + 1) * JOBS // parts)
        runs = [run for one in played for run in one.runs[cut]]
        points.append((float((part + 1) * JOBS // parts), sum(runs) / len(runs)))
    return Series(f"{error_ppm / 10_000:g} % tolerated", Mark.STEPS, tuple(points))


def _chart(lines: list[Series]) -> Chart:
    title = f"{FAULTS[-1]} % of {WORKERS} workers lie"
    return Chart(title, "jobs since the beginning", "runs per job", tuple(lines))


EXPERIMENT: Final = Experiment(
    name="credibility",
    title="Voting weighed by credibility",
    question="How many runs does a tolerated error take, where many workers lie alike?",
    method=(
        "`replicas_to_begin`, `compare` and `spares_needed` in `protocol/job/` decide who runs and "
        "what is accepted, `protocol/economy/reputation.py` keeps the records. 200 workers without "
        "a record do a thousand jobs, drawn evenly; liars always lie, all alike. The "
        "terms of `live`, but for the share of faults, which is assumed as it is. How many jobs "
        "the published numbers of runs are a mean of is not told: in longer lives it is less, as "
        "the plot shows. The control is computed exactly."
    ),
    bite="jobs that a liar was drawn for; for the control, wrong results in a million",
    source=(
        "Sarmenta, Sabotage-tolerance mechanisms for volunteer computing systems, FGCS 18 (2002), "
        "for the bound on errors; the runs and votes follow from its model with full collusion"
    ),
    caption="Lines: runs per job, tenth by tenth of a thousand jobs.",
    measure=measure,
    table="TRUST.md",
)
