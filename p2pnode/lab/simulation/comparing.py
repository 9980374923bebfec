"""Compares two sweeps, or two runs, pair by pair: the same cell with the same seed.

Chance that both sides share cancels in a pair. What never happened counts as later than everything
that did, so it moves the median as it must, and it is counted apart.
"""

import json
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from p2pnode.lab.results import SEEDS_MIN, Metric, Metrics, metrics_of, wait_of
from p2pnode.lab.results.folder import MANIFEST, SUMMARY, UNENDED
from p2pnode.lab.simulation.folder import read_json, read_manifest
from p2pnode.lab.simulation.library import ScenarioError
from p2pnode.lab.simulation.rows import SWEEP, check_metrics, read_rows

Key = tuple[str, int]
"""A cell, by its changes, and a seed."""

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
    never_a: int
    never_b: int
    never: int
    resamples: int


@dataclass(frozen=True, slots=True)
class Compared:
    """Two sides, compared.

    Attributes:
        unpaired: Runs that only one side has.
        outcomes: How often each pair of outcomes came.
    """

    differences: tuple[Difference, ...]
    unpaired: int
    outcomes: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Side:
    """What one folder holds."""

    metrics: Mapping[Key, Metrics]
    outcomes: Mapping[Key, str]


def compare(first: Path, second: Path) -> Compared:
    """Compare two folders of sweeps, or of runs.

    Raises:
        ScenarioError: One holds neither, or they have no run in common.
    """
    a, b = read_side(first), read_side(second)
    keys = [key for key in a.metrics if key in b.metrics]
    if not keys:
        raise ScenarioError(
            f"{first} and {second} have no cell and seed in common: nothing can be paired"
        )
    outcomes: dict[tuple[str, str], int] = {}
    for key in keys:
        both = a.outcomes[key], b.outcomes[key]
        outcomes[both] = outcomes.get(both, 0) + 1
    names = dict.fromkeys(name for key in keys for name in a.metrics[key])
    found = []
    for name in names:
        pairs = [
            (a.metrics[key][name], b.metrics[key][name])
            for key in keys
            if name in a.metrics[key] and name in b.metrics[key]
        ]
        if pairs:
            found.append(difference(name, pairs))
    unpaired = len(a.metrics) + len(b.metrics) - 2 * len(keys)
    return Compared(tuple(found), unpaired, outcomes)


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
        raise ScenarioError(
            f"the run in {folder} did not end: it is {manifest.get('state')}; run it again"
        )
    key = ("{}", seed)
    return Side({key: _metrics_in(folder / SUMMARY)}, {key: str(manifest["outcome"])})


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


def difference(name: str, both: Sequence[tuple[Metric, Metric]]) -> Difference:
    """Compare one measure over pairs of runs."""
    pairs = [(_ended(a), _ended(b)) for a, b in both]
    apart = [_apart(a, b) for a, b in pairs]
    resamples = min(RESAMPLES, DRAWS_MAX // len(pairs)) if len(pairs) >= PAIRS_MIN else 0
    low, high = interval(apart, resamples) if resamples else (None, None)
    finite = all(map(math.isfinite, apart))
    return Difference(
        metric=name,
        pairs=len(pairs),
        a=statistics.median_low([_or_endless(a) for a, _ in pairs]),
        b=statistics.median_low([_or_endless(b) for _, b in pairs]),
        median=statistics.median_low(apart),
        low=low,
        high=high,
        mean=statistics.fmean(apart) if finite else None,
        never_a=sum(a is None and b is not None for a, b in pairs),
        never_b=sum(b is None and a is not None for a, b in pairs),
        never=sum(a is None and b is None for a, b in pairs),
        resamples=resamples,
    )


def interval(values: Sequence[float], resamples: int) -> tuple[float, float]:
    """Draw the 95 % bootstrap interval of a median; the same one each time."""
    source = random.Random(DRAW_SEED)  # noqa: S311  an estimate, no secret
    medians = sorted(
        statistics.median_low(source.choices(values, k=len(values))) for _ in range(resamples)
    )
    return medians[int(LOW * (resamples - 1))], medians[math.ceil(HIGH * (resamples - 1))]


def _ended(metric: Metric) -> float | None:
    """Takes a metric's number; None when it did not come before the run's end."""
    wait = wait_of(metric)
    return wait.time_ms if wait.has_ended else None


def _apart(a: float | None, b: float | None) -> float:
    """Subtracts; what never happened is later than all else, and as late as itself."""
    return 0.0 if a is None and b is None else _or_endless(b) - _or_endless(a)


def _or_endless(value: float | None) -> float:
    return math.inf if value is None else float(value)
