"""Why no node has an inactivity leak: it ends a standstill, and makes two ledgers of a partition.

The time until it does either follows from the weights alone.
"""

from collections.abc import Iterator, Sequence
from math import ceil, log
from typing import Final

from p2pnode.lab.experiments.experiment import (
    Chart,
    Effort,
    Expected,
    Experiment,
    Findings,
    Mark,
    Obtained,
    Point,
    Row,
    Series,
    counted,
    exactly,
)
from p2pnode.lab.experiments.leak import (
    BEGIN_NS,
    KEPT,
    PERIOD_NS,
    Leaked,
    divide,
    leaking,
    lose,
)
from protocol.core import Core
from protocol.simulator.connections import SILENCE_NS
from protocol.units import SECOND

MEMBERS: Final = 16
LOSSES: Final = (6, 7, 8, 9, 10, 11)
"""Lost members; five are tolerated."""
MINORITIES: Final = (8, 6)
AGAIN_S: Final = 3
"""From the period in which a quorum is there until a leader is committed, at most."""
MARGIN_S: Final = 10
"""So much longer than expected each run goes on."""


def measure(effort: Effort) -> Findings:
    """Loses members for good, and cuts networks, each with a leak and without."""
    seeds = range(1, effort.of(5, 1) + 1)
    losses = LOSSES[: effort.of(len(LOSSES), 1)]
    lost = {one: [_lose(one, seed) for seed in seeds] for one in losses}
    rows = [_loss_row(one, runs) for one, runs in lost.items()]
    rows.append(_standstill(losses[-1], seeds))
    cuts = {}
    for minority in MINORITIES[: effort.of(2, 1)]:
        cuts[minority] = [_divide(minority, seed) for seed in seeds]
        rows += _cut_rows(minority, cuts[minority])
    plain = [divide(MEMBERS, MINORITIES[0], Core, seed, _slowest(MINORITIES[0])) for seed in seeds]
    rows += _plain_rows(MINORITIES[0], plain)
    charts = (_times_chart(lost), _ledgers_chart(cuts[MINORITIES[0]][0], plain[0]))
    return Findings(tuple(rows), charts, (_told(cuts),))


def expected_s(present: int, absent: int, noticed_s: float = 0) -> float:
    """Seconds from a loss until those who are present are a quorum.

    They are one as soon as the absent weigh less than half of what they weigh themselves.
    """
    periods = ceil(log(present / 2 / absent) / log(KEPT[0] / KEPT[1]))
    period_s, begin_s = PERIOD_NS / SECOND, BEGIN_NS / SECOND
    begun = (begin_s + noticed_s) // period_s
    return (begun + periods) * period_s - begin_s


def _lose(lost: int, seed: int) -> Leaked:
    return lose(MEMBERS, lost, leaking, seed, expected_s(MEMBERS - lost, lost) + MARGIN_S)


def _divide(minority: int, seed: int) -> Leaked:
    return divide(MEMBERS, minority, leaking, seed, _slowest(minority))


def _slowest(minority: int) -> float:
    return expected_s(minority, MEMBERS - minority, SILENCE_NS / SECOND) + MARGIN_S


def _loss_row(lost: int, runs: Sequence[Leaked]) -> Row:
    what = f"{lost} of {MEMBERS} crash for good, with a leak: seconds until finality returns"
    return Row(what, _soon(expected_s(MEMBERS - lost, lost)), _times(runs, 0))


def _soon(seconds: float) -> Expected:
    return Expected(f"{seconds:g} to {seconds + AGAIN_S:g}", seconds, seconds + AGAIN_S)


def _times(runs: Sequence[Leaked], side: int) -> Obtained:
    """The mean; a run in which finality never returned makes it infinite."""
    found = [run.again[side] for run in runs]
    times = [float("inf") if time is None else time for time in found]
    mean, bites = sum(times) / len(times), sum(run.bites for run in runs)
    return Obtained(mean, min(times), max(times), len(times), bites)


def _standstill(lost: int, seeds: range) -> Row:
    until_s = expected_s(MEMBERS - lost, lost) + MARGIN_S
    runs = [lose(MEMBERS, lost, Core, seed, until_s) for seed in seeds]
    what = f"{lost} of {MEMBERS} crash for good, nodes as they are: runs in which finality returns"
    return _share(what, 0, [run.again[0] is not None for run in runs], runs)


def _cut_rows(minority: int, runs: Sequence[Leaked]) -> Iterator[Row]:
    majority = MEMBERS - minority
    name = f"cut {majority}/{minority}, with a leak"
    for side, present in enumerate((majority, minority)):
        which = ("first" if side == 0 else "second") if majority == minority else str(present)
        what = f"{name}: seconds until finality returns on the side of {which}"
        if majority == minority:
            what = f"{name}: seconds until finality returns on the {which} side"
        expected = expected_s(present, MEMBERS - present, SILENCE_NS / SECOND)
        yield Row(what, _soon(expected), _times(runs, side))
    what = f"{name}: runs in which the sides have different final commits"
    yield _share(what, 1, [run.contradicting > 0 for run in runs], runs)


def _plain_rows(minority: int, runs: Sequence[Leaked]) -> Iterator[Row]:
    name = f"cut {MEMBERS - minority}/{minority}, nodes as they are"
    going = [any(time is not None for time in run.again) for run in runs]
    yield _share(f"{name}: runs in which finality returns before the heal", 0, going, runs)
    what = f"{name}: runs in which the sides have different final commits"
    yield _share(what, 0, [run.contradicting > 0 for run in runs], runs)


def _share(what: str, expected: float, outcomes: Sequence[bool], runs: Sequence[Leaked]) -> Row:
    bites = sum(run.bites for run in runs)
    return Row(what, exactly(expected), counted(sum(outcomes) / len(runs), len(runs), bites))


def _told(cuts: dict[int, list[Leaked]]) -> str:
    runs = [run for found in cuts.values() for run in found]
    commits = [run.contradicting for run in runs]
    halted = [run.halted for run in runs]
    return (
        f"When the cuts were healed, {min(commits)} to {max(commits)} commits of the two sides "
        f"contradicted each other, and {min(halted)} to {max(halted)} of the {MEMBERS} nodes had "
        "halted ten seconds later."
    )


def _times_chart(lost: dict[int, list[Leaked]]) -> Chart:
    known = tuple((float(one), expected_s(MEMBERS - one, one)) for one in lost)
    points: list[Point] = []
    errors: list[Point] = []
    for one, runs in lost.items():
        found = _times(runs, 0)
        points.append((float(one), found.value))
        errors.append((found.low, found.high))
    series = (
        Series("expected, at least", Mark.LINE, known),
        Series("with a leak", Mark.DOTS, tuple(points), tuple(errors)),
    )
    title = "Until finality returns without those who are lost"
    return Chart(title, f"lost of {MEMBERS}", "seconds", series)


def _ledgers_chart(leaked: Leaked, plain: Leaked) -> Chart:
    cut = "cut 8/8"
    runs = (
        (f"{cut}, first side, with a leak", leaked.times[0]),
        (f"{cut}, second side, with a leak", leaked.times[1]),
        (f"{cut}, as nodes are", plain.times[0]),
    )
    series = tuple(
        Series(name, Mark.STEPS, tuple((time, float(at)) for at, time in enumerate(times)))
        for name, times in runs
    )
    return Chart("Commits on two sides of a cut", "seconds since the cut", "commits", series)


EXPERIMENT: Final = Experiment(
    name="inactivity-leak",
    title="An inactivity leak, which no node has",
    question="What would it bring if absent members lost weight while nothing becomes final?",
    method=(
        "Sixteen real cores in `protocol.simulator.world`, with a leak wrapped around each: an "
        "absent member keeps seven eighths of its weight in each period of five seconds in which "
        "nothing becomes final. Absent is who is not connected."
    ),
    bite="crashes that hit a running node; messages that met a cut link",
    source=(
        "the quorum T - ⌊(T-1)/3⌋: those who are present are one when the absent weigh less than "
        "half as much, after k periods with (7/8)^k < present / (2 absent); the idea and its price "
        "are those of V. Buterin et al., *Combining GHOST and Casper*, 2020"
    ),
    caption=(
        "Left: dots are means of five seeds, bars reach from the fastest to the slowest. Right: "
        "one seed; both ledgers with a leak are final, and they contradict each other."
    ),
    measure=measure,
    table="LEAK.md",
)
