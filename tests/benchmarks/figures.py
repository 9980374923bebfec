"""One measured figure, what it is compared with, and how it is judged."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

LOWER, HIGHER = "at most", "at least"


@dataclass(frozen=True, slots=True)
class Floor:
    """What a figure is compared with, measured in the same run and in the same unit."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure has to reach."""

    sense: str
    """`LOWER` or `HIGHER`: which side of the limit is good."""
    limit: float

    def is_met(self, value: float) -> bool:
        """Judge a value."""
        return value <= self.limit if self.sense == LOWER else value >= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    unit: str
    samples: tuple[float, ...]
    """One value a run; their median is the figure."""
    conditions: str
    """Whatever the value depends on, for people."""
    floor: Floor | None = None
    target: Target | None = None

    @property
    def value(self) -> float:
        """The figure."""
        return median(self.samples)

    @property
    def ratio(self) -> float | None:
        """How many times the floor it is."""
        return self.value / self.floor.value if self.floor and self.floor.value else None

    @property
    def verdict(self) -> str:
        """`met`, `MISSED`, or nothing where there is no target."""
        if self.target is None:
            return ""
        return "met" if self.target.is_met(self.value) else "MISSED"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time a benchmark may take."""

    quick: bool
    share: int = 1
    """A test of a benchmark takes only one in so many of what the quick form takes."""

    def of(self, full: int, short: int) -> int:
        """Choose a number of runs, rounds or seconds."""
        return max(1, short // self.share) if self.quick else full


def at_most(limit: float) -> Target:
    """A target where less is better."""
    return Target(LOWER, limit)


def at_least(limit: float) -> Target:
    """A target where more is better."""
    return Target(HIGHER, limit)


def seconds_each(action: Callable[[], object], repeats: int, runs: int) -> tuple[float, ...]:
    """Time an action: for each run, the mean seconds of that many repetitions.

    Counts processor time, since other work on the machine is not the action's doing.
    """
    found = []
    for _ in range(runs):
        begun = time.process_time()
        for _ in range(repeats):
            action()
        found.append((time.process_time() - begun) / repeats)
    return tuple(found)


def scaled(samples: tuple[float, ...], factor: float) -> tuple[float, ...]:
    """Bring samples into another unit."""
    return tuple(sample * factor for sample in samples)


def percentile(values: list[float], percent: int) -> float:
    """The value that so many per cent do not exceed; infinite when there is none."""
    if not values:
        return float("inf")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
