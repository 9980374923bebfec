"""What the commands of simulations say to people: tables and sentences, each from plain values."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from p2pnode.lab.simulation.comparing import PAIRS_MIN, Compared, Difference
from p2pnode.lab.simulation.measuring import Row
from p2pnode.lab.simulation.replaying import Replayed
from p2pnode.lab.simulation.scenario_file import Described

SHOWN_CHARACTERS: Final = 300
"""Of a trace's entry."""
NEVER: Final = "never"
SUMMED: Final = ("finality_p50_ms", "finality_p99_ms", "silence_ms", "recovery_ms")
"""Measures of a sweep's table, each as the median over its seeds."""


def measures(row: Row) -> Mapping[str, object]:
    """Make a record of a run's measures."""
    return {name: NEVER if value is None else str(value) for name, value in row.items()}


def expectation_line(described: Described, as_expected: bool) -> str:
    """Say whether a run came to what its file says."""
    expected = described.expectation
    broken = f" of {expected.invariant}" if expected.invariant else ""
    verb = "as expected" if as_expected else "NOT as expected"
    return f"  {verb}: {expected.outcome.name.lower()}{broken}"


def sweep_table(rows: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, object]]:
    """Make one record of each cell."""
    cells: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        cells.setdefault(row["cell"], []).append(row)
    for number in sorted(cells):
        found = cells[number]
        outcomes: dict[str, int] = {}
        for row in found:
            outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        record = {"cell": str(number)} | {key: str(one) for key, one in found[0]["changes"].items()}
        record |= {"runs": str(len(found)), "outcomes": said}
        for name in SUMMED:
            values = [row["metrics"][name] for row in found if name in row["metrics"]]
            if values:
                record[name] = figure(_median(values))
        yield record


def comparison_table(compared: Compared) -> Iterator[Mapping[str, object]]:
    """Make one record of each measure."""
    for one in compared.differences:
        yield {
            "measure": one.metric,
            "pairs": str(one.pairs),
            "a": figure(one.a),
            "b": figure(one.b),
            "difference": figure(one.median, later=True),
            "interval": _interval(one),
            "mean": "-" if one.mean is None else figure(one.mean),
            "never": _never(one),
        }


def comparison_lines(compared: Compared) -> Iterator[str]:
    """Say what the table cannot."""
    for (a, b), count in sorted(compared.outcomes.items()):
        yield f"{count} pairs: {a} in A, {b} in B"
    if compared.unpaired:
        yield f"{compared.unpaired} runs are on one side only, and left out"
    resamples = min((one.resamples for one in compared.differences), default=0)
    yield "differences are B less A, medians over pairs; what never happened counts as endless"
    yield (
        f"intervals: 95 %, bootstrap with {resamples} resamples or more"
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
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"


def _interval(one: Difference) -> str:
    if one.low is None or one.high is None:
        return "-"
    return f"{figure(one.low, later=True)} to {figure(one.high, later=True)}"


def _never(one: Difference) -> str:
    if not one.never_a + one.never_b + one.never:
        return "-"
    return f"{one.never_a} in A, {one.never_b} in B, {one.never} in both"


def _median(values: Sequence[int | None]) -> float:
    """Takes the lower median; what never happened is larger than all else."""
    return sorted(math.inf if value is None else float(value) for value in values)[
        (len(values) - 1) // 2
    ]
