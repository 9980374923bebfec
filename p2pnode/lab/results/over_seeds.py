"""What a figure is over several seeds: its median, and how sure that is.

Intervals are percentile bootstrap intervals. The draws are seeded, so the same figures give the
same interval. A run that never came to a figure is drawn like any other, as a censored one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from p2pnode.lab.results.metrics import TIMES, Metric, wait_of
from p2pnode.lab.results.survival import Quantile, Wait, quantile_of
from protocol.simulator.chance import Stream

RESAMPLES: Final = 2_000
LEVEL_PERCENT: Final = 95
SEEDS_MIN: Final = 5
"""Fewer have no interval: it would look certain where nothing is known."""
DRAWS: Final = 400_000
"""Spent on the intervals of one table, so that it takes seconds."""
RESAMPLES_MIN: Final = 200


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure over seeds.

    Attributes:
        count: Seeds.
        middle: The estimate.
        low, high: Bounds of its interval.
    """

    count: int
    middle: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class WaitInterval:
    """A time over seeds, some of which may never have come to it.

    Attributes:
        count: Seeds.
        censored: Those that never came to it.
        middle: The median.
        low, high: Bounds of its interval; beyond what was watched where it says so.
    """

    count: int
    censored: int
    middle: Quantile
    low: Quantile
    high: Quantile


@dataclass(frozen=True, slots=True)
class Middle:
    """A metric over the seeds of one cell.

    Attributes:
        middle: The estimate.
        ends: Of its interval; None where there are too few seeds to tell.
    """

    middle: Quantile
    ends: tuple[Quantile, Quantile] | None


def mean_over_seeds(
    values: Sequence[float], seed: int = 0, resamples: int = RESAMPLES
) -> Interval | None:
    """Estimates a mean and its interval; None without values."""
    if not values:
        return None
    stream, count = Stream(seed, "bootstrap"), len(values)
    means = sorted(
        sum(values[stream.below(count)] for _ in range(count)) / count for _ in range(resamples)
    )
    low, high = _bounds(resamples)
    return Interval(count, sum(values) / count, means[low], means[high])


def median_over_seeds(
    waits: Sequence[Wait], seed: int = 0, resamples: int = RESAMPLES
) -> WaitInterval | None:
    """Estimates a median time and its interval; None without observations."""
    middle = quantile_of(waits, 50)
    if middle is None:
        return None
    stream, count = Stream(seed, "bootstrap"), len(waits)
    medians: list[Quantile] = []
    for _ in range(resamples):
        drawn = quantile_of([waits[stream.below(count)] for _ in range(count)], 50)
        assert drawn is not None, "as many are drawn as there are"
        medians.append(drawn)
    medians.sort(key=lambda one: (one.is_beyond, one.time_ms))
    low, high = _bounds(resamples)
    censored = sum(not wait.has_ended for wait in waits)
    return WaitInterval(count, censored, middle, medians[low], medians[high])


def middle_of(name: str, values: Sequence[Metric], resamples: int = RESAMPLES) -> Middle:
    """Estimates a metric over the seeds of one cell: a median of times, a mean of all else.

    Args:
        name: Of the metric.
        values: One or more.
        resamples: Of the interval.
    """
    waits, is_told = [wait_of(value) for value in values], len(values) >= SEEDS_MIN
    if name in TIMES:
        median = median_over_seeds(waits, resamples=resamples)
        assert median is not None, "a cell has runs"
        return Middle(median.middle, (median.low, median.high) if is_told else None)
    mean = mean_over_seeds([wait.time_ms for wait in waits], resamples=resamples)
    assert mean is not None, "a cell has runs"
    ends = (Quantile(mean.low), Quantile(mean.high)) if is_told else None
    return Middle(Quantile(mean.middle), ends)


def resamples_for(values: int) -> int:
    """Chooses how many resamples a page full of intervals can have in seconds.

    Args:
        values: All those that are drawn from.
    """
    return max(RESAMPLES_MIN, min(RESAMPLES, DRAWS // max(1, values)))


def _bounds(resamples: int) -> tuple[int, int]:
    """Places of the lower and upper bound among ordered resamples."""
    tail = resamples * (100 - LEVEL_PERCENT) // 200
    return tail, resamples - 1 - tail
