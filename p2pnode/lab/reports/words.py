"""What happened, in sentences: the same facts as the tables, for people who read."""

from collections.abc import Iterator, Mapping
from typing import Final

from p2pnode.lab.reports.fault_words import counted, happened
from p2pnode.lab.results.reading import Fault, Reading, Side
from p2pnode.lab.results.recovery import recovery
from p2pnode.lab.results.survival import Quantile, Wait, summarise
from p2pnode.lab.results.waiting import availability, finality_waits

OUTCOMES: Final[Mapping[str, str]] = {
    "pass": "Passed: no promise was broken, and every fault that was planned took effect.",
    "safety": "Safety was broken: something happened that must never happen.",
    "liveness": "Liveness was broken: something that was asked for was not done in time.",
    "unknown": "Unknown: no promise was broken, but a fault that the run is about never took "
    "effect, so the run proves nothing about it.",
    "crash": "Crashed: a node's protocol stopped with an error of its own.",
}
MANY_FAULTS: Final = 6
"""With more than this, faults are counted and not told one by one."""


def side_name(reading: Reading, side: Side) -> str:
    """Names a side by its nodes."""
    if len(reading.sides) == 1:
        return "all nodes"
    return f"side {{{', '.join(map(str, side))}}}" if len(side) < 8 else f"side of {len(side)}"


def seconds(time_ms: float) -> str:
    """A time for people."""
    return f"{time_ms / 1_000:.2f} s"


def wait_text(wait: Wait) -> str:
    """A wait for people, as `> t` where the run ended first."""
    return f"{'' if wait.has_ended else '> '}{seconds(wait.time_ms)}"


def quantile_text(quantile: Quantile | None) -> str:
    """A quantile for people."""
    if quantile is None:
        return "–"
    return f"{'> ' if quantile.is_beyond else ''}{seconds(quantile.time_ms)}"


def story(reading: Reading, outcome: str) -> Iterator[str]:
    """Tells the run in a few sentences."""
    yield OUTCOMES.get(outcome, f"Outcome: {outcome}.")
    requests = availability(reading, within_ms=reading.ended_ms)
    waits = summarise(finality_waits(reading))
    yield (
        f"{len(reading.nodes)} honest nodes ran for {seconds(reading.ended_ms)}. Users asked for "
        f"{counted(requests.attempted, 'operation')}; the nodes that were asked accepted "
        f"{requests.seen} and saw {requests.final} of them final, half within "
        f"{quantile_text(waits.p50)}."
    )
    if len(reading.faults) <= MANY_FAULTS:
        yield from map(fault_text, reading.faults)
    else:
        bitten = sum(fault.count > 0 for fault in reading.faults)
        yield f"{len(reading.faults)} faults were planned; {bitten} of them took effect."
    yield from _during(reading)
    yield from _after(reading)


def fault_text(fault: Fault) -> str:
    """Tells of one fault."""
    effect = "" if fault.count else "; it had no effect"
    if fault.begin_ms is None or fault.end_ms is None:
        return f"For the whole run, {happened(fault)}{effect}."
    return f"From {seconds(fault.begin_ms)} to {seconds(fault.end_ms)}, {happened(fault)}{effect}."


def _during(reading: Reading) -> Iterator[str]:
    if reading.window is None:
        return
    for side in reading.sides:
        answered = availability(reading, side, "during")
        if answered.attempted:
            yield (
                f"While faults were at work, {side_name(reading, side)} "
                f"{'were' if len(reading.sides) == 1 else 'was'} asked for "
                f"{counted(answered.attempted, 'operation')}: {answered.seen} accepted and "
                f"{answered.final} final within two seconds."
            )


def _after(reading: Reading) -> Iterator[str]:
    found = recovery(reading)
    if found is None:
        return
    slowest = max(
        (wait for _, wait in found.first_finality),
        key=lambda wait: (not wait.has_ended, wait.time_ms),
        default=None,
    )
    if slowest is not None:
        yield (
            f"After the last fault, every node had a new final commit within "
            f"{wait_text(slowest)}{_blocks(found.sets_equal)}, and all that waited was final after "
            f"{wait_text(found.backlog)}."
        )


def _blocks(sets_equal: Wait | None) -> str:
    if sets_equal is None:
        return ""
    return f", all earlier blocks were everywhere after {wait_text(sets_equal)}"
