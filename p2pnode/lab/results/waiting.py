"""How long operations took, and how many got anywhere: one function for each figure.

Requests are what users asked honest nodes for; the duties of nodes (bids, commitments, reveals) are
left out, and so is what dishonest nodes do for themselves, since nobody tells what they saw of it.
A request belongs to the side that the asked node is on, and to the part of the run, before, during
or after the faults, in which it was asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from p2pnode.lab.results.reading import Operation, Reading, Side
from p2pnode.lab.results.survival import Wait

PARTS: Final = ("before", "during", "after")
WHOLE: Final = "whole_run"
"""Stands for the parts where no fault was planned."""
WITHIN_MS: Final = 2_000.0
"""An answer later than this after the request counts as no answer, for availability."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Requests and answers.

    Attributes:
        attempted: Requests made, those that nobody heard included.
        seen: Those that the asked node signed and kept in time: accepted, but provisional.
        in_block: Those that were in a block in time, as the asked node saw it: provisional, too.
        final: Those that were final in time, as the asked node saw it.
    """

    attempted: int
    seen: int
    in_block: int
    final: int


@dataclass(frozen=True, slots=True)
class Stability:
    """What became of everything that was ever final anywhere: Jepsen's set-full.

    Attributes:
        stable: From the first honest node's knowing it final to the last one's.
        lost: Final somewhere, but not everywhere when the run ended.
        never_final: Signed, but final nowhere.
    """

    stable: tuple[Wait, ...]
    lost: int
    never_final: int


def requests(reading: Reading, side: Side | None = None, part: str = "") -> Iterator[Operation]:
    """Yields what users asked honest nodes for on one side and in one part of the run.

    Args:
        reading: The run.
        side: Nodes asked; None for all.
        part: before, during or after the faults; empty for the whole run.
    """
    window = reading.window
    for operation in reading.operations:
        if not operation.is_request or operation.begun_ms is None:
            continue
        if side is not None and operation.asker not in side:
            continue
        if operation.asker is not None and operation.asker not in reading.nodes:
            continue
        if part and window is not None and window.part(operation.begun_ms) != part:
            continue
        yield operation


def finality_waits(reading: Reading, side: Side | None = None, part: str = "") -> list[Wait]:
    """Time from asking to final, as the asked node saw it.

    A request that was signed and is not final when the run ends counts as cut short then. One that
    was never signed has no wait; it counts in `availability`.
    """
    found = []
    for operation in requests(reading, side, part):
        if operation.seen_ms is None or operation.begun_ms is None or operation.asker is None:
            continue
        final_ms = operation.final_ms.get(operation.asker)
        end_ms = reading.ended_ms if final_ms is None else final_ms
        found.append(_wait(operation.begun_ms, end_ms, final_ms is not None))
    return found


def provisional_gaps(reading: Reading) -> list[Wait]:
    """Time from in a block to final, as the asked node saw it: how long a guess stays one."""
    found = []
    for operation in requests(reading):
        node = operation.asker
        if node is None or node not in operation.in_block_ms:
            continue
        final_ms = operation.final_ms.get(node)
        end_ms = reading.ended_ms if final_ms is None else final_ms
        found.append(_wait(operation.in_block_ms[node], end_ms, final_ms is not None))
    return found


def availability(
    reading: Reading, side: Side | None = None, part: str = "", within_ms: float = WITHIN_MS
) -> Answered:
    """Counts requests that got somewhere in time, provisionally and finally.

    A request counts as attempted even if its node was down or refused it.
    """
    attempted = seen = in_block = final = 0
    for operation in requests(reading, side, part):
        attempted += 1
        node, begun_ms = operation.asker, operation.begun_ms
        if node is None or begun_ms is None or operation.seen_ms is None:
            continue
        latest_ms = begun_ms + within_ms
        seen += operation.seen_ms <= latest_ms
        in_block += operation.in_block_ms.get(node, latest_ms + 1) <= latest_ms
        final += operation.final_ms.get(node, latest_ms + 1) <= latest_ms
    return Answered(attempted, seen, in_block, final)


def stability(reading: Reading) -> Stability:
    """Follows each operation, duties included, from known somewhere to known everywhere.

    An honest node's final entries are read at all times. An operation is known when it is first
    final anywhere, and stable from when no honest node lacks it.

    Source: Jepsen, `jepsen.checker/set-full`: stable latency, lost and never-read elements.
    """
    stable, lost, never_final = [], 0, 0
    for operation in reading.operations:
        if not operation.identifier:
            continue
        times = operation.final_ms.values()
        if not times:
            never_final += 1
        elif len(operation.final_ms) < len(reading.nodes):
            lost += 1
            stable.append(_wait(min(times), reading.ended_ms, has_ended=False))
        else:
            stable.append(_wait(min(times), max(times), has_ended=True))
    return Stability(tuple(stable), lost, never_final)


def _wait(begin_ms: float, end_ms: float, has_ended: bool) -> Wait:
    return Wait(round(max(0.0, end_ms - begin_ms), 3), has_ended)
