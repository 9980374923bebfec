"""Copied results: what a worker is paid that never runs a job and sends what others sent."""

from typing import Final

from p2pnode.lab.experiments.experiment import (
    Chart,
    Effort,
    Experiment,
    Findings,
    Mark,
    Row,
    Series,
    at_most,
    counted,
    exactly,
)
from p2pnode.lab.experiments.played_job import Answer, Played, Runner, account_of, offer_of
from protocol.job.record import Job
from protocol.parameters import minimal
from protocol.simulator.chance import Stream
from protocol.simulator.copier import Copier

TERMS: Final = minimal()
WORKERS: Final = 7
COPIERS: Final = (6, 7)
LIAR: Final = 5
PANELS: Final = 10


class Count:
    """What copiers did and got.

    Args:
        copiers: Their numbers.
    """

    def __init__(self, copiers: tuple[int, ...]) -> None:
        self.copiers = copiers
        self.jobs = self.paid = self.copies = self.earned = self.forfeited = 0
        self.curve: list[tuple[float, float]] = []

    def note(self, *_: object) -> None:
        """Takes in one copy."""
        self.copies += 1

    def take(self, job: Job) -> None:
        """Takes in how a job ended."""
        self.jobs += 1
        accounts = {account_of(number) for number in self.copiers}
        pays = [payout.amount for payout in job.payouts if payout.account in accounts]
        self.paid += len(pays)
        self.earned += sum(pays)
        self.forfeited += sum(one.amount for one in job.slashes if one.account in accounts)


def measure(effort: Effort) -> Findings:
    """Plays jobs with a copier, and with two, until enough was copied."""
    target = effort.of(10_000, 200)
    alone, pair = copied(COPIERS[:1], target), copied(COPIERS, effort.of(1_000, 100))
    what = f"one copier, {target:,} copied results, in jobs with and without a liar: those paid"
    rows = (
        Row(what, exactly(0), counted(alone.paid, alone.copies, alone.copies)),
        Row(
            "two copiers that help each other: their pay, as a share of what they forfeit",
            at_most(1 / TERMS.exposure_multiple),
            counted(round(pair.earned / pair.forfeited, 5), pair.copies, pair.paid),
        ),
    )
    chart = Chart(
        "Copied results that are paid",
        "copies",
        "paid",
        (
            Series("expected", Mark.LINE, ((0.0, 0.0), (float(target), 0.0))),
            Series("one copier", Mark.DOTS, tuple(alone.curve)),
            Series("two copiers", Mark.STEPS, tuple(pair.curve)),
        ),
    )
    remark = (
        f"Of two copiers {pair.paid:,} of {pair.copies:,} copies were paid: where one shows a "
        "fingerprint that it cannot open, spares are called after the reveals, and the other may "
        "be one of them. The first forfeits its pledge for that."
    )
    return Findings(rows, (chart,), (remark,))


def copied(copiers: tuple[int, ...], target: int) -> Count:
    """Plays jobs until so many results were copied."""
    count = Count(copiers)
    while count.copies < target:
        count.take(play(count))
        if count.copies * PANELS // target > len(count.curve):
            count.curve.append((float(count.copies), float(count.paid)))
    return count


def play(count: Count) -> Job:
    """Plays one job; in every other one a worker lies, so that spares are called."""
    number = count.jobs
    town = Played(TERMS, WORKERS, luck=number)
    answers: dict[int, Answer] = {one: Runner(one, TERMS) for one in range(1, WORKERS + 1)}
    answers[LIAR] = Runner(LIAR, TERMS, b"wrong" if number % 2 else b"right")
    for copier in count.copiers:
        chance = Stream(number, "copied results", copier)
        answers[copier] = Copier(copier, account_of(copier), chance, count.note).answer
    offer = offer_of(TERMS, replicas=3 + number % 3, replicas_max=7)
    return town.play(offer, range(1, WORKERS + 1), answers)


EXPERIMENT: Final = Experiment(
    name="copied-results",
    title="Copying instead of running",
    question="What does a worker earn that copies what others commit to?",
    method=(
        "Whole jobs on the node's own state, `p2pnode/lab/experiments/played_job.py`; the copiers "
        "are those of the simulator, `protocol/simulator/copier.py`, and send at each of their "
        "turns what most others have shown. One or two of seven workers copy, and in every other "
        "job another one lies. Everybody is new in each job."
    ),
    bite="copies that were sent; of two copiers, those that were paid",
    source="a commitment names its author, and a fingerprint binds it to the result it opens",
    caption="Line: none. Dots and steps: copies that were paid, so far.",
    measure=measure,
    table="TRUST.md",
)
