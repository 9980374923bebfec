"""What the commands of simulations say to people: tables and sentences, each from plain values."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from p2pnode.cli.output import printable
from p2pnode.lab.results import (
    Metric,
    Metrics,
    middle_of,
    resamples_for,
    wait_of,
)
from p2pnode.lab.results.survival import Quantile
from p2pnode.lab.simulation.comparing import PAIRS_MIN, Compared, Difference
from p2pnode.lab.simulation.replaying import Replayed
from p2pnode.lab.simulation.scenario_file import Described
from p2pnode.lab.simulation.sweeping import ROWS_CSV

SHOWN_CHARACTERS: Final = 300
"""Of a trace's entry."""
NEVER: Final = "never"
SUMMED: Final = (
    "finality_p50_ms",
    "finality_p99_ms",
    "available_final",
    "recovery_backlog_ms",
    "divergence",
    "wasted_device_s",
    "double_executions",
)
"""Metrics of a sweep's table, each over the seeds of a cell."""


def metrics(row: Metrics) -> Mapping[str, object]:
    """Make a record of a run's metrics."""
    return {name: metric_text(metric) for name, metric in row.items()}


def metric_text(metric: Metric) -> str:
    """Write a metric for people, as `> t` where the run's end cut it short."""
    wait = wait_of(metric)
    return f"{'' if wait.has_ended else '> '}{figure(wait.time_ms)}"


def expectation_line(described: Described, as_expected: bool) -> str:
    """Say whether a run came to what its file says."""
    expected = described.expectation
    broken = f" of {expected.invariant}" if expected.invariant else ""
    verb = "as expected" if as_expected else "NOT as expected"
    return f"  {verb}: {expected.outcome.name.lower()}{broken}"


def sweep_table(rows: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, object]]:
    """Make one record of each cell, with 95 % intervals where there are seeds enough to tell."""
    cells: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        cells.setdefault(row["cell"], []).append(row)
    resamples = resamples_for(len(rows) * len(SUMMED))
    for number in sorted(cells):
        found = cells[number]
        outcomes = Counter(row["outcome"] for row in found)
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        record = {"cell": str(number)} | {
            printable(key): str(one) for key, one in found[0]["changes"].items()
        }
        record |= {"runs": str(len(found)), "outcomes": said}
        for result in ("broken", "unknown"):
            record[result] = _promises(row[result] for row in found)
        for name in SUMMED:
            values = [row["metrics"][name] for row in found if name in row["metrics"]]
            if values:
                record[name] = _over_seeds(name, values, resamples)
        yield record


def sweep_lines(rows: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[str]:
    """Say what the table cannot."""
    yield "times are medians over seeds, all else means; > t: not before the run's end, at t"
    seeds = max(Counter(row["cell"] for row in rows).values(), default=0)
    yield (
        "[a, b]: 95 % bootstrap interval"
        if seeds >= PAIRS_MIN
        else f"no intervals: {PAIRS_MIN} seeds are the least to tell"
    )
    yield f"all metrics of all runs are in {folder / ROWS_CSV}"


def comparison_table(compared: Compared) -> Iterator[Mapping[str, object]]:
    """Make one record of each measure."""
    for one in compared.differences:
        yield {
            "measure": one.metric,
            "pairs": str(one.pairs),
            "a": figure(one.a),
            "b": figure(one.b),
            "difference": figure(one.median, later=True),
            "interval": _interval(one.low, one.high),
            "mean": "-" if one.mean is None else figure(one.mean),
            "its interval": _interval(one.mean_low, one.mean_high),
            "never": _never(one),
        }


def comparison_lines(compared: Compared) -> Iterator[str]:
    """Say what the table cannot."""
    for (a, b), count in sorted(compared.outcomes.items()):
        yield f"{count} pairs: {a} in A, {b} in B"
    yield from comparison_notes(compared)


def comparison_notes(compared: Compared) -> Iterator[str]:
    """Say how the table of measures is meant."""
    if compared.unpaired:
        yield f"{compared.unpaired} runs are on one side only, and left out"
    resamples = min((one.resamples for one in compared.differences), default=0)
    yield "differences are B less A, medians over pairs; what never happened counts as endless"
    yield (
        f"intervals: 95 %, bootstrap with {resamples} resamples or more; of twenty "
        "intervals, one misses by chance"
        if resamples
        else f"no intervals: {PAIRS_MIN} pairs are the least to tell"
    )


def replay_lines(replayed: Replayed, folder: Path) -> Iterator[str]:
    """Say whether a second run was equal to the first, and where not."""
    if replayed.is_equal:
        yield f"equal: trace {replayed.before}"
        return
    yield f"DIFFERENT: trace {replayed.outcome.trace}, was {replayed.before}"
    yield f"  the first run was of version {replayed.version}"
    difference = replayed.difference
    if difference is None:
        yield f"  no full trace is in {folder}: `sim run --trace` keeps one"
        return
    yield f"  first difference in line {difference.line} of the trace"
    yield f"  was: {difference.before[:SHOWN_CHARACTERS] or 'nothing, it had ended'}"
    yield f"  now: {difference.now[:SHOWN_CHARACTERS] or 'nothing, it has ended'}"


def figure(value: float, *, later: bool = False) -> str:
    """Write a number for people; an infinite one means that something never happened."""
    if math.isinf(value):
        sign = "-" if value < 0 else "+"
        return f"{sign}{NEVER}" if later else NEVER
    return f"{value:.4g}" if abs(value) < 1_000 else f"{value:.0f}"


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "-"
    return f"{figure(low, later=True)} to {figure(high, later=True)}"


def _never(one: Difference) -> str:
    if not one.never_a + one.never_b + one.never:
        return "-"
    return f"{one.never_a} in A, {one.never_b} in B, {one.never} in both"


def _promises(named: Iterable[Sequence[str]]) -> str:
    """Names promises, each with the number of runs."""
    counts = Counter(name for names in named for name in names)
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "-"


def _over_seeds(name: str, values: Sequence[Metric], resamples: int) -> str:
    over = middle_of(name, values, resamples)
    middle = _quantile(over.middle)
    return f"{middle} [{', '.join(map(_quantile, over.ends))}]" if over.ends else middle


def _quantile(one: Quantile) -> str:
    return f"{'> ' if one.is_beyond else ''}{figure(one.time_ms)}"
