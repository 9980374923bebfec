"""What it costs to lose weight: less than a third, exactly what is tolerated, and one more."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

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
    within,
)
from p2pnode.lab.experiments.halts import Halt, divide_committee, lose_members
from p2pnode.lab.experiments.small_networks import crash
from protocol.ledger.synchronizer import SUMMARY_MIN_MS
from protocol.simulator.connections import REDIAL_NS, SILENCE_NS
from protocol.simulator.latency import DELAY_NS
from protocol.units import MILLISECOND, SECOND

MEMBERS: Final = 16
LOSSES: Final = {-1: "less than a third", 0: "exactly what is tolerated", 1: "one more"}
"""Lost members, counted from those that are tolerated."""
DELAYS: Final = 120
"""Length of a loss or cut, in message delays."""
QUICK_DELAYS: Final = 60
TO_THE_CREDIT: Final = {
    (2_500, 2_500, 1_667, 3_333): 1,
    (2_500, 2_500, 1_666, 3_334): 0,
}
"""Stakes of 10,000 credits of which the last member's are lost; 3,333 are tolerated."""
PROTOTYPE: Final = {(8, 30): 7.9, (8, 120): 7.9, (5, 120): 6.1}
"""Longest recovery in message delays, by minority and length of the cut."""
PROTOTYPE_WAIT: Final = 3.0
"""Message delays between two of its comparisons, with which alone it finds out that a cut is over.
A connection that broke is redialled after as long, which is found out at once."""
SUMMARY_WAIT: Final = SUMMARY_MIN_MS * MILLISECOND / DELAY_NS
"""The node's comparisons: no more often than so, whatever the delay. So where no connection broke,
the prototype's recovery is longer by the difference."""
PROTOTYPE_PACE: Final = within(0.47, 0.1)
"""Committed leaders in a message delay on the side of eleven."""
SHORT_CUTS: Final = (20, 30, 40, 50, 60, 70, 80, 100, 120)
"""Lengths in delays of a tenth of a second; connections break after sixty."""


def measure(effort: Effort) -> Findings:
    """Loses members and links."""
    rows = list(_credit_rows(range(1, effort.of(5, 1) + 1)))
    lost, rows_of_losses = _losses(effort)
    rows += rows_of_losses
    charts = [_timeline(lost, effort.of(DELAYS, QUICK_DELAYS))]
    remarks: list[str] = []
    if not effort.is_quick:
        cuts = {one: [divide_committee(MEMBERS, *one, s) for s in range(1, 7)] for one in PROTOTYPE}
        rows += [row for one, found in cuts.items() for row in _cut_rows(*one, found)]
        short = {
            length: [divide_committee(4, 2, length, s) for s in (1, 2, 3)] for length in SHORT_CUTS
        }
        charts.append(_recoveries(short))
        remarks.append(_pace_remark(cuts[5, 120]))
    return Findings(tuple(rows), tuple(charts), tuple(remarks))


def expected_recovery(minority: int, delays: int) -> float:
    """Message delays that the prototype's figures and the node's own waits allow after a cut.

    Args:
        minority: Members on the smaller side.
        delays: Length of the cut.
    """
    longest = PROTOTYPE[minority, delays]
    if delays * DELAY_NS > SILENCE_NS:
        return longest - PROTOTYPE_WAIT + REDIAL_NS / DELAY_NS
    return longest - PROTOTYPE_WAIT + SUMMARY_WAIT


def _credit_rows(seeds: range) -> Iterator[Row]:
    """One credit of ten thousand decides."""
    for stakes, goes_on in TO_THE_CREDIT.items():
        runs = [crash(stakes, (3,), seed) for seed in seeds]
        going = sum(run.sides[0].commits > 0 for run in runs)
        lost, total = stakes[3], sum(stakes)
        yield Row(
            f"{lost} of {total} credits crash: runs in which finality went on",
            exactly(goes_on),
            counted(going / len(runs), len(runs), sum(run.bites for run in runs)),
        )


def _losses(effort: Effort) -> tuple[dict[str, Halt], list[Row]]:
    """Crashes members, all of which come back; of the largest loss, in other runs, one alone."""
    members, delays = effort.of(MEMBERS, 7), effort.of(DELAYS, QUICK_DELAYS)
    seeds, tolerated = range(1, effort.of(3, 1) + 1), (members - 1) // 3
    examples, rows = {}, []
    for beyond, words in LOSSES.items():
        lost = tolerated + beyond
        runs = [lose_members(members, lost, lost, delays, seed) for seed in seeds]
        name = f"{lost} of {members} crash"
        examples[f"{name} at 0"] = runs[0]
        going, back = [run.during[0] > 0 for run in runs], [_is_back(run) for run in runs]
        what = f"{name} ({words}): runs in which finality went on"
        rows.append(_share(what, int(beyond <= 0), going, runs))
        what = f"{name} ({words}): runs in which all go on once all are back"
        rows.append(_share(what, 1, back, runs))
    runs = [lose_members(members, tolerated + 1, 1, delays, seed) for seed in seeds]
    back = [run.during[0] == 0 and _is_back(run) for run in runs]
    what = f"{name}, one returns: halted runs that all running nodes go on from"
    return examples, [*rows, _share(what, 1, back, runs)]


def _is_back(run: Halt) -> bool:
    return run.everywhere is not None


def _share(what: str, expected: float, outcomes: Sequence[bool], runs: Sequence[Halt]) -> Row:
    bites = sum(run.bites for run in runs)
    return Row(what, exactly(expected), counted(sum(outcomes) / len(runs), len(runs), bites))


def _cut_rows(minority: int, delays: int, runs: Sequence[Halt]) -> Iterator[Row]:
    name = f"cut {MEMBERS - minority}/{minority} for {delays} delays"
    bites = sum(run.bites for run in runs)
    small = max(run.during[1] for run in runs)
    yield Row(f"{name}: commits a delay on the smaller side", exactly(0), _most(small, runs, bites))
    paces = [run.during[0] for run in runs]
    pace = PROTOTYPE_PACE if minority < 6 else exactly(0)
    yield _mean_row(f"{name}: commits a delay on the other side, mean", pace, paces, bites)
    times = [run.everywhere for run in runs]
    worst = max(float("inf") if time is None else time for time in times)
    what = f"{name}: delays from the heal until every node commits anew, longest"
    expected = at_most(round(expected_recovery(minority, delays), 1))
    yield Row(what, expected, _most(worst, runs, bites))


def _most(value: float, runs: Sequence[Halt], bites: int) -> Obtained:
    return counted(round(value, 2), len(runs), bites)


def _mean_row(what: str, expected: Expected, values: Sequence[float], bites: int) -> Row:
    mean = sum(values) / len(values)
    return Row(what, expected, Obtained(mean, min(values), max(values), len(values), bites))


def _pace_remark(runs: Sequence[Halt]) -> str:
    before = sum(run.before for run in runs) / len(runs)
    during = sum(run.during[0] for run in runs) / len(runs)
    return (
        f"A leader that is cut off costs its round: the pace falls from {before:.2f} commits a "
        f"delay to {during:.2f} on the side of eleven."
    )


def _timeline(lost: dict[str, Halt], delays: int) -> Chart:
    top = max(len(run.times) for run in lost.values())
    series = [Series("the members return", Mark.LINE, ((delays, 0.0), (delays, top)))]
    for name, run in lost.items():
        points = tuple((time, float(place)) for place, time in enumerate(run.times))[::2]
        series.append(Series(name, Mark.STEPS, points))
    title = "Commits while some members are down"
    return Chart(title, "message delays since the crash", "commits", tuple(series))


def _recoveries(short: dict[int, list[Halt]]) -> Chart:
    points, errors = [], []
    for length, runs in short.items():
        times = [run.everywhere for run in runs if run.everywhere is not None]
        points.append((length / 10, median(times) / 10))
        errors.append((min(times) / 10, max(times) / 10))
    unbroken, broken = expected_recovery(8, 30) / 10, expected_recovery(8, 120) / 10
    edge = SILENCE_NS / SECOND
    limits = ((2.0, unbroken), (edge, unbroken), (edge, broken), (12.0, broken))
    series = (
        Series("expected, at most", Mark.LINE, limits),
        Series("cut 2/2, 3 seeds", Mark.DOTS, tuple(points), tuple(errors)),
    )
    return Chart("From the heal until all commit anew", "length of the cut (s)", "seconds", series)


EXPERIMENT: Final = Experiment(
    name="lost-third",
    title="The price of a lost third",
    question="What goes on, halts and comes back when a committee loses weight or is cut?",
    method=(
        "Real cores in `protocol.simulator.world`: crashes and cuts of links; with sixteen members "
        "all pacing is off, links delay by 0.5 to 1.5 of 100 ms, and a delay means their mean."
    ),
    bite="crashes that hit a running node; messages that met a cut link",
    source=(
        "the quorum T - ⌊(T-1)/3⌋ of the commit rule (M. Castro and B. Liskov, *Practical "
        "Byzantine Fault Tolerance*, OSDI 1999); pace and recovery: figures of the prototype on "
        "which this commit rule was chosen, November 2026, six seeds, with the node's own waits "
        "until it finds out that a cut is over: a second where no connection broke"
    ),
    caption=(
        "Left: one run each, with pacing off; every other commit is drawn. Right: how soon all go "
        "on after a cut that leaves no quorum; bars from the fastest to the slowest of three seeds."
    ),
    measure=measure,
)
