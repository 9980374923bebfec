"""Compares two sweeps, or two runs, pair by pair: the same cell with the same seed.

Chance that both sides share cancels in a pair. What never happened counts as later than everything
that did, so it moves the median as it must, and it is counted apart.
"""

import json
import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from p2pnode.lab.results import SEEDS_MIN, Metric, Metrics, metrics_of, wait_of
from p2pnode.lab.results.folder import MANIFEST, SUMMARY, UNENDED, unended_text
from p2pnode.lab.simulation.folder import read_json, read_manifest
from p2pnode.lab.simulation.library import ScenarioError
from p2pnode.lab.simulation.rows import SWEEP, Row, check_metrics, read_rows

Key = tuple[str, int]
"""A cell, by its changes, and a seed."""
Both = tuple[Metric, Metric]
"""One measure on both sides of a pair."""

RESAMPLES: Final = 2_000
DRAWS_MAX: Final = 2_000_000
"""Resamples are fewer where there are so many pairs that more could not be drawn in seconds."""
PAIRS_MIN: Final = SEEDS_MIN
"""As for seeds: fewer pairs have no interval."""
DRAW_SEED: Final = 1
LOW, HIGH = 0.025, 0.975
"""Ends of the 95 % interval."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How one measure differs between two sides, B less A.

    Attributes:
        pairs: With a value, or the word that there never was one, on both sides.
        a: Median of A; infinite where most never happened.
        b: Median of B.
        median: Of the differences.
        low: Lower end of its 95 % bootstrap interval; infinite like the others, and None where
            there are too few pairs to tell.
        high: Upper end.
        mean: Of the differences; None when any of them is infinite.
        mean_low: Lower end of the mean's 95 % bootstrap interval; None without a mean, too.
        mean_high: Upper end.
        never_a: Pairs in which it never happened in A only.
        never_b: The same in B only.
        never: The same in both, which counts as no difference.
        resamples: Of the bootstrap.
    """

    metric: str
    pairs: int
    a: float
    b: float
    median: float
    low: float | None
    high: float | None
    mean: float | None
    mean_low: float | None
    mean_high: float | None
    never_a: int
    never_b: int
    never: int
    resamples: int


@dataclass(frozen=True, slots=True)
class Side:
    """What one folder holds.

    Attributes:
        manifest: Of the sweep or the run, as it was written.
        rows: Of a sweep by cell and seed; none of a run.
    """

    manifest: Mapping[str, Any]
    rows: Mapping[Key, Row]
    metrics: Mapping[Key, Metrics]
    outcomes: Mapping[Key, str]


@dataclass(frozen=True, slots=True)
class Compared:
    """Two sides, compared.

    Attributes:
        keys: What both have, in the order of A.
        unpaired: Runs that only one side has.
        outcomes: How often each pair of outcomes came.
    """

    a: Side
    b: Side
    keys: tuple[Key, ...]
    differences: tuple[Difference, ...]
    unpaired: int
    outcomes: Mapping[tuple[str, str], int]

    def pairs(self, metric: str) -> dict[Key, Both]:
        """Take one measure of each pair of which both sides have it."""
        return {
            key: (self.a.metrics[key][metric], self.b.metrics[key][metric])
            for key in self.keys
            if metric in self.a.metrics[key] and metric in self.b.metrics[key]
        }


def compare(first: Path, second: Path) -> Compared:
    """Compare two folders of sweeps, or of runs.

    Raises:
        ScenarioError: One holds neither, or they have no run in common.
    """
    a, b = read_side(first), read_side(second)
    keys = tuple(key for key in a.metrics if key in b.metrics)
    if not keys:
        raise ScenarioError(
            f"{first} and {second} have no cell and seed in common: nothing can be paired"
        )
    outcomes: dict[tuple[str, str], int] = {}
    for key in keys:
        both = a.outcomes[key], b.outcomes[key]
        outcomes[both] = outcomes.get(both, 0) + 1
    unpaired = len(a.metrics) + len(b.metrics) - 2 * len(keys)
    bare = Compared(a, b, keys, (), unpaired, outcomes)
    names = dict.fromkeys(name for key in keys for name in a.metrics[key])
    paired = {name: tuple(bare.pairs(name).values()) for name in names}
    found = tuple(difference(name, pairs) for name, pairs in paired.items() if pairs)
    return Compared(a, b, keys, found, unpaired, outcomes)


def read_side(folder: Path) -> Side:
    """Read the measures of a sweep, or of one run.

    Raises:
        ScenarioError: The folder holds neither.
    """
    if (folder / SWEEP).exists():
        rows = {
            (json.dumps(row["changes"], sort_keys=True), row["seed"]): row
            for row in read_rows(folder)
        }
        return Side(
            read_json(folder / SWEEP, "a sweep's folder"),
            rows,
            {key: row["metrics"] for key, row in rows.items()},
            {key: row["outcome"] for key, row in rows.items()},
        )
    if not (folder / MANIFEST).exists():
        raise ScenarioError(f"{folder} holds neither a sweep nor a run")
    manifest = read_manifest(folder)
    if manifest.get("source") == "processes":
        raise ScenarioError(f"{folder} is of real processes, which no seed pairs with another run")
    seed = manifest.get("seed")
    if type(seed) is not int:
        raise ScenarioError(f"{folder / MANIFEST} is damaged: it has no seed")
    if manifest.get("state") in UNENDED or "outcome" not in manifest:
        raise ScenarioError(unended_text(folder, manifest.get("state")))
    key = ("{}", seed)
    outcomes = {key: str(manifest["outcome"])}
    return Side(manifest, {}, {key: _metrics_in(folder / SUMMARY)}, outcomes)


def _metrics_in(path: Path) -> Metrics:
    """Picks the metrics out of a summary, which anybody may have changed since it was written."""
    summary = read_json(path, "a run's folder")
    try:
        metrics = metrics_of(summary)
        check_metrics(metrics)
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise ScenarioError(
            f"{path} is damaged: its metrics cannot be read ({error}): run it again"
        ) from error
    return metrics


def difference(name: str, both: Sequence[Both]) -> Difference:
    """Compare one measure over pairs of runs."""
    pairs = [(_ended(a), _ended(b)) for a, b in both]
    apart = [_apart(a, b) for a, b in pairs]
    resamples = min(RESAMPLES, DRAWS_MAX // len(pairs)) if len(pairs) >= PAIRS_MIN else 0
    low, high = interval(apart, resamples) if resamples else (None, None)
    is_finite = all(map(math.isfinite, apart))
    mean_low, mean_high = (
        interval(apart, resamples, statistics.fmean) if resamples and is_finite else (None, None)
    )
    return Difference(
        metric=name,
        pairs=len(pairs),
        a=statistics.median_low([_or_endless(a) for a, _ in pairs]),
        b=statistics.median_low([_or_endless(b) for _, b in pairs]),
        median=statistics.median_low(apart),
        low=low,
        high=high,
        mean=statistics.fmean(apart) if is_finite else None,
        mean_low=mean_low,
        mean_high=mean_high,
        never_a=sum(a is None and b is not None for a, b in pairs),
        never_b=sum(b is None and a is not None for a, b in pairs),
        never=sum(a is None and b is None for a, b in pairs),
        resamples=resamples,
    )


def apart_of(both: Both) -> float:
    """Subtract A from B in one pair; infinite where it never happened on one side only."""
    return _apart(_ended(both[0]), _ended(both[1]))


def interval(
    values: Sequence[float],
    resamples: int,
    middle: Callable[[Sequence[float]], float] = statistics.median_low,
) -> tuple[float, float]:
    """Draw the 95 % bootstrap interval of a median or another middle; the same one each time."""
    source = random.Random(DRAW_SEED)  # noqa: S311  an estimate, no secret
    middles = sorted(middle(source.choices(values, k=len(values))) for _ in range(resamples))
    return middles[int(LOW * (resamples - 1))], middles[math.ceil(HIGH * (resamples - 1))]


def _ended(metric: Metric) -> float | None:
    """Takes a metric's number; None when it did not come before the run's end."""
    wait = wait_of(metric)
    return wait.time_ms if wait.has_ended else None


def _apart(a: float | None, b: float | None) -> float:
    """Subtracts; what never happened is later than all else, and as late as itself."""
    return 0.0 if a is None and b is None else _or_endless(b) - _or_endless(a)


def _or_endless(value: float | None) -> float:
    return math.inf if value is None else float(value)
