"""The metrics of a run in one flat row, for sweeps and comparisons: picked from its summary.

Nothing is defined here that `summary.json` does not have. A metric is a number, or
`{"beyond_ms": t}` for a time that the run's end cut short; one that cannot be has no key.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from p2pnode.lab.results.survival import Wait
from p2pnode.lab.results.waiting import PARTS, WHOLE

Metric = int | float | Mapping[str, float]
Metrics = dict[str, Metric]

BEYOND: Final = "beyond_ms"
QUANTILES: Final = ("p50", "p95", "p99")
TIMES: Final = (
    *(f"finality_{name}_ms" for name in QUANTILES),
    "recovery_blocks_ms",
    "recovery_finality_ms",
    "recovery_backlog_ms",
)
"""Metrics that may be cut short; over seeds, they have a median, and all others a mean."""


def metrics_of(summary: Mapping[str, Any]) -> Metrics:
    """Picks the metrics of a run out of its summary, by `summary_of` or from its file."""
    apart = summary["divergence"] or {}
    found: dict[str, Metric | None] = {
        "ended_ms": summary["ended_ms"],
        "commits": summary["commits"],
        **dict(_finality(summary["finality"])),
        **dict(_answered(summary["sides"])),
        "silence_ms": summary["silence_ms"],
        "stale_share": summary["stale_blocks"]["share"],
        "divergence": apart.get("highest"),
        "blocks_apart": apart.get("most_blocks_apart"),
        **dict(_recovery(summary["recovery"])),
        "jobs": sum(summary["jobs"].values()),
        "jobs_settled": summary["jobs"].get("settled", 0),
        "executions": summary["work"]["executions"],
        "double_executions": summary["work"]["doubles"],
        "device_s": summary["work"]["device_seconds"],
        "wasted_device_s": summary["work"]["wasted_device_seconds"],
        "gini": summary["rewards"]["gini"],
        "messages": summary["carriage"]["messages"],
        "size_bytes": summary["carriage"]["size_bytes"],
        "copies_per_delivery": summary["carriage"]["copies_per_delivery"],
    }
    return {name: metric for name, metric in found.items() if metric is not None}


def wait_of(metric: Metric) -> Wait:
    """Takes a metric as a time that may have been cut short."""
    if isinstance(metric, Mapping):
        return Wait(metric[BEYOND], has_ended=False)
    return Wait(metric)


def _finality(summary: Mapping[str, Any]) -> Iterator[tuple[str, Metric | None]]:
    yield "accepted", summary["count"]
    yield "unfinished", summary["censored"]
    for name in QUANTILES:
        yield f"finality_{name}_ms", _time(summary[name])


def _answered(sides: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Metric | None]]:
    """Adds up requests over sides; shares are of those attempted."""
    for suffix, parts in (("", (*PARTS, WHOLE)), ("_during", PARTS[1:2])):
        told = [side[part]["availability"] for side in sides for part in parts if part in side]
        attempted = sum(part["attempted"] for part in told)
        yield f"requests{suffix}", attempted if told else None
        for level in ("seen", "final") if attempted else ():
            share = sum(part[level] for part in told) / attempted
            yield f"available_{level}{suffix}", round(share, 6)


def _recovery(summary: Mapping[str, Any] | None) -> Iterator[tuple[str, Metric | None]]:
    """Times from the heal; of all sides, the slowest counts."""
    if summary is None:
        return
    yield "recovery_blocks_ms", _time(summary["sets_equal"])
    slowest = max(
        summary["first_finality"],
        key=lambda wait: (BEYOND in wait, wait.get(BEYOND, wait.get("at_ms"))),
        default=None,
    )
    yield "recovery_finality_ms", _time(slowest)
    yield "recovery_backlog_ms", _time(summary["backlog"])


def _time(wait: Mapping[str, float] | None) -> Metric | None:
    if wait is None:
        return None
    return {BEYOND: wait[BEYOND]} if BEYOND in wait else wait["at_ms"]
