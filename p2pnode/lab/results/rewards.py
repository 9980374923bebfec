"""Who was paid, how unequally, and how much of that the faults changed.

The measure of what faults changed is a second run: the same seed, without the faults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from p2pnode.lab.results.collector import Collector
from p2pnode.lab.results.reading import Reading
from p2pnode.lab.results.schema import Tables
from p2pnode.lab.results.tables import tables_of
from protocol.simulator.run import play
from protocol.simulator.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Work:
    """What devices did.

    Attributes:
        executions, doubles: Runs, and those beyond the first of each account that was drawn; None
            where nobody watched them.
        device_seconds, wasted_device_seconds: Their time, and the part without an accepted result.
    """

    executions: int | None
    doubles: int | None
    device_seconds: float | None
    wasted_device_seconds: float | None


@dataclass(frozen=True, slots=True)
class Rewards:
    """What nodes earned, against what they would have earned without the faults.

    Attributes:
        earned, without: Millionths of a credit, by node.
        distance: Half the sum of the differences of their shares: 0 for equal shares, 1 where
            nobody who earned would have; None where either run paid nothing.
        gini, gini_without: How unequal the earnings are.
    """

    earned: Mapping[int, int]
    without: Mapping[int, int]
    distance: float | None
    gini: float | None
    gini_without: float | None


def counterfactual(scenario: Scenario) -> Tables:
    """Plays the same seed without the faults; dishonest nodes and link conditions stay."""
    calm = replace(scenario, faults=())
    collector = Collector(calm)
    return tables_of(collector, play(calm, recorders=(collector,)))


def work(reading: Reading) -> Work:
    """Adds up runs over all jobs."""
    jobs = reading.jobs
    seconds = _sum([job.device_ms for job in jobs]), _sum([job.wasted_device_ms for job in jobs])
    executions = _sum([job.executions for job in jobs])
    doubles = _sum([job.double_executions for job in jobs])
    device, wasted = (None if one is None else round(one / 1_000, 6) for one in seconds)
    return Work(
        None if executions is None else int(executions),
        None if doubles is None else int(doubles),
        device,
        wasted,
    )


def earnings(reading: Reading) -> dict[int, int]:
    """Adds up payments by node, in millionths of a credit; honest nodes without any have 0."""
    earned = dict.fromkeys(reading.nodes, 0)
    for job in reading.jobs:
        for node, amount in job.payouts.items():
            earned[node] = earned.get(node, 0) + amount
    return dict(sorted(earned.items()))


def compare_rewards(earned: Mapping[int, int], without: Mapping[int, int]) -> Rewards:
    """Compares two runs' earnings."""
    nodes = sorted({*earned, *without})
    return Rewards(
        earned,
        without,
        _distance([earned.get(one, 0) for one in nodes], [without.get(one, 0) for one in nodes]),
        gini_of(list(earned.values())),
        gini_of(list(without.values())),
    )


def gini_of(amounts: Sequence[int]) -> float | None:
    """The Gini coefficient: mean difference of two amounts, by twice their mean.

    0 where all are equal, (n - 1) / n where one of n has everything; None where nobody has any.
    """
    total, count = sum(amounts), len(amounts)
    if not total:
        return None
    ranked = sum(place * amount for place, amount in enumerate(sorted(amounts), start=1))
    return round(2 * ranked / (count * total) - (count + 1) / count, 6)


def _distance(here: Sequence[int], there: Sequence[int]) -> float | None:
    """The L1 distance of two distributions, halved."""
    total_here, total_there = sum(here), sum(there)
    if not total_here or not total_there:
        return None
    pairs = zip(here, there, strict=True)
    return round(sum(abs(a / total_here - b / total_there) for a, b in pairs) / 2, 6)


def _sum(values: Sequence[float | None]) -> float | None:
    """Adds up what is known; None where one is unknown or nothing is there."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
