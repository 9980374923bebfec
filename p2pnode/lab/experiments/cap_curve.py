"""What a partition costs, by its length and the share of the smaller side.

Consistency is kept on both sides: nothing becomes final without a quorum. Availability is kept by
the layer below: every node goes on accepting operations, and the sides drift apart until the heal.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from p2pnode.lab.experiments.divided_work import (
    INTERVAL_NS,
    SETTLED_NS,
    Divided,
    divide_work,
    slope,
)
from p2pnode.lab.experiments.experiment import (
    Chart,
    Effort,
    Experiment,
    Findings,
    Mark,
    Obtained,
    Row,
    Series,
    counted,
    exactly,
    within,
)
from p2pnode.lab.experiments.small_networks import PARAMETERS
from protocol.units import SECOND

MEMBERS: Final = 7
MINORITIES: Final = (1, 2, 3)
LENGTHS_S: Final = (10, 20, 40, 80, 160)
LONG_S: Final = 240
"""Longer than a node's own chain of waiting operations can grow."""
RATE: Final = MEMBERS * SECOND / INTERVAL_NS
"""Operations asked for in a second, in the whole network."""
ROOM: Final = PARAMETERS.chain_pool_max * 3 // 4
"""Operations of one account that may wait before its node refuses what people ask for."""

Runs = dict[tuple[int, int], list[Divided]]
"""Runs by minority and length, one for each seed."""


def measure(effort: Effort) -> Findings:
    """Plays every length with every minority."""
    minorities = MINORITIES[:: effort.of(1, 2)]
    lengths = LENGTHS_S[: effort.of(len(LENGTHS_S), 1)]
    seeds = range(1, effort.of(3, 1) + 1)
    runs: Runs = {
        (minority, length): [divide_work(MEMBERS, minority, length * SECOND, s) for s in seeds]
        for minority in minorities
        for length in lengths
    }
    rows = [row for minority in minorities for row in _rows_of(minority, runs)]
    rows += _rows_of_all(runs)
    healed = [run for found in runs.values() for run in found]
    charts = [_curve(runs), _drift(runs)]
    if not effort.is_quick:
        long = divide_work(MEMBERS, MINORITIES[-1], LONG_S * SECOND, 1)
        rows.append(_room_row(long))
        charts[1] = _drift(runs, long)
        healed.append(long)
    return Findings(tuple(rows), tuple(charts), (_recoveries(healed),))


def final_share(minority: int) -> float:
    """The share of requests that can become final in time: those of a side with a quorum."""
    majority = MEMBERS - minority
    return majority / MEMBERS if 3 * majority > 2 * MEMBERS else 0.0


def _rows_of(minority: int, runs: Runs) -> Iterator[Row]:
    mine = [run for (one, _), found in runs.items() if one == minority for run in found]
    side = f"{minority} of {MEMBERS} cut off"
    yield Row(
        f"{side}: accepted, of all asked for during the cut",
        exactly(1),
        _share(mine, [one.accepted for run in mine for one in run.asked]),
    )
    old = [one for run in mine for one in run.asked if one.is_old]
    known = final_share(minority)
    yield Row(
        f"{side}: final before the heal, of those asked for {SETTLED_NS // SECOND} s before it",
        exactly(round(known, 4)) if not known else within(round(known, 4), 0.0001),
        _share(mine, [one.is_final for one in old]),
    )
    alone = [o.is_final for run in mine for o in run.asked if o.node < minority or not known]
    yield Row(
        f"{side}: final on a side without a quorum, of all asked for there",
        exactly(0),
        _share(mine, alone),
    )
    slopes = [slope(run.divergence) for run in mine]
    bites = sum(run.cut for run in mine)
    mean = sum(slopes) / len(slopes)
    yield Row(
        f"{side}: operations a second by which the sides drift apart (mean slope)",
        within(RATE, RATE / 50),
        Obtained(mean, min(slopes), max(slopes), len(slopes), bites),
    )


def _rows_of_all(runs: Runs) -> Iterator[Row]:
    everything = [run for found in runs.values() for run in found]
    bites = sum(run.cut for run in everything)
    falls = sum(
        later < earlier
        for run in everything
        for (_, earlier), (_, later) in zip(run.divergence, run.divergence[1:], strict=False)
    )
    looks = sum(len(run.divergence) - 1 for run in everything)
    what = "all cuts: looks at which the sides had come closer"
    yield Row(what, exactly(0), counted(falls, looks, bites))
    lagging = sum(run.recovery_ns is None for run in everything)
    what = "all cuts: runs that left an accepted operation not final somewhere after the heal"
    yield Row(what, exactly(0), counted(lagging, len(everything), bites))


def _room_row(long: Divided) -> Row:
    taken = [sum(o.accepted for o in long.asked if o.node == node) for node in range(MEMBERS)]
    what = f"{LONG_S} s without a quorum: operations that a node accepts before it refuses (mean)"
    value = sum(taken) / MEMBERS
    return Row(what, exactly(ROOM), Obtained(value, min(taken), max(taken), MEMBERS, long.cut))


def _recoveries(runs: Iterable[Divided]) -> str:
    times = [run.recovery_ns for run in runs]
    known = sorted(time / SECOND for time in times if time is not None)
    return (
        f"After the heal everything was final everywhere within {known[0]:.2f} to {known[-1]:.2f} s"
        f" (median {known[len(known) // 2]:.2f} s), whatever the length of the cut; links delay by"
        f" 20 to 60 ms, rounds last at least {PARAMETERS.minimum_round_ms} ms."
    )


def _share(runs: Iterable[Divided], outcomes: list[bool]) -> Obtained:
    bites = sum(run.cut for run in runs)
    return counted(sum(outcomes) / len(outcomes), len(outcomes), bites)


def _curve(runs: Runs) -> Chart:
    minorities = sorted({minority for minority, _ in runs})
    accepted, final = [], []
    for minority in minorities:
        mine = [run for (one, _), found in runs.items() if one == minority for run in found]
        asked = [one for run in mine for one in run.asked]
        old = [one for one in asked if one.is_old]
        share = minority / MEMBERS
        accepted.append((share, sum(one.accepted for one in asked) / len(asked)))
        final.append((share, sum(one.is_final for one in old) / len(old)))
    return Chart(
        "What is still done during the cut",
        "share of the smaller side",
        "share of requests",
        (
            Series("final, expected", Mark.LINE, ((0, 1), (1 / 3, 2 / 3), (1 / 3, 0), (0.5, 0))),
            Series("final", Mark.DOTS, tuple(final)),
            Series("accepted, expected", Mark.LINE, ((0, 1), (0.5, 1))),
            Series("accepted", Mark.DOTS, tuple(accepted)),
        ),
    )


def _drift(runs: Runs, long: Divided | None = None) -> Chart:
    longest = LONG_S if long else max(length for _, length in runs)
    series = [Series("rate × time", Mark.LINE, ((0.0, 0.0), (longest, RATE * longest)))]
    ends: dict[float, list[float]] = {}
    for (_, length), found in runs.items():
        ends.setdefault(length, []).extend(run.divergence[-1][1] for run in found)
    points = tuple((length, sum(counts) / len(counts)) for length, counts in ends.items())
    errors = tuple((min(counts), max(counts)) for counts in ends.values())
    series.append(Series("at the heal, whoever is cut off", Mark.DOTS, points, errors))
    if long:
        all_along = tuple((x, float(y)) for x, y in long.divergence)
        series.append(Series(f"one cut of {LONG_S} s, all along", Mark.STEPS, all_along))
    return Chart(
        "What one side alone knows of", "time since the cut (s)", "operations", tuple(series)
    )


EXPERIMENT: Final = Experiment(
    name="cap-curve",
    title="Consistency and availability under a partition",
    question="What still becomes final, what is still accepted, and how far do the sides drift?",
    method=(
        f"{MEMBERS} real cores in `protocol.simulator.world`; each is asked for one transfer a "
        "second from the cut to the heal. Accepted: the core reports `OperationSeen`. Final: "
        "`OperationApplied` at the node that was asked. Known: in its pool or final."
    ),
    bite="messages that met a cut link",
    source=(
        "S. Gilbert and N. Lynch, *Brewer's Conjecture and the Feasibility of Consistent, "
        "Available, Partition-Tolerant Web Services*, SIGACT News 33(2), 2002; the amounts follow "
        "from the quorum rule, the rate of requests and `chain_pool_max`"
    ),
    caption=(
        "Left: accepted operations do not depend on the cut, final ones on a quorum alone. Right: "
        "the sides drift apart at the rate of requests, until the chains of waiting operations "
        "are full."
    ),
    measure=measure,
)
