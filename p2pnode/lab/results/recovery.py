"""How long it took after the faults until everything was as if they had not been."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from p2pnode.lab.results.reading import Reading, Side, rows_of
from p2pnode.lab.results.survival import Wait


@dataclass(frozen=True, slots=True)
class Recovery:
    """Times from the last fault's end; each may be cut short by the run's end.

    Attributes:
        healed_ms: When the last fault ended.
        sets_equal: Until every honest node had each block that anybody had at the heal; None where
            nobody told who took in what.
        unreachable_blocks: Blocks left out of that, because not everybody ever took them in: they
            fell behind the horizon, and nobody needs them.
        first_finality: By side, until the last of its nodes had a new commit.
        backlog: Until everything signed before the heal was final at every honest node.
    """

    healed_ms: float
    sets_equal: Wait | None
    unreachable_blocks: int
    first_finality: tuple[tuple[Side, Wait], ...]
    backlog: Wait


def recovery(reading: Reading) -> Recovery | None:
    """Measures recovery after the last fault.

    Returns:
        None where no fault was planned, or the run was cut short before the last one ended.
    """
    window = reading.window
    if window is None or reading.ended_ms < window.end_ms:
        return None
    healed_ms = window.end_ms
    sets_equal, unreachable = _sets_equal(reading, healed_ms)
    sides = tuple(side for side in reading.sides if set(side) & set(reading.nodes))
    return Recovery(
        healed_ms,
        sets_equal,
        unreachable,
        tuple((side, _first_finality(reading, side, healed_ms)) for side in sides),
        _backlog(reading, healed_ms),
    )


def _sets_equal(reading: Reading, healed_ms: float) -> tuple[Wait | None, int]:
    if not reading.saw_acceptance:
        return None, 0
    latest, unreachable = healed_ms, 0
    for row in rows_of(reading.tables["blocks"]):
        first = cast("float | None", row["accepted_first_ms"])
        if first is None or first > healed_ms:
            continue
        if row["accepted_nodes"] == len(reading.nodes):
            latest = max(latest, cast("float", row["accepted_last_ms"]))
        else:
            unreachable += 1
    return Wait(_rounded(latest - healed_ms)), unreachable


def _first_finality(reading: Reading, side: Side, healed_ms: float) -> Wait:
    firsts: dict[int, float] = {}
    for row in rows_of(reading.tables["votes"]):
        node, time_ms = cast("int", row["node"]), cast("float | None", row["decided_ms"])
        if node in side and row["verdict"] == "committed" and (time_ms or 0.0) > healed_ms:
            firsts[node] = min(firsts.get(node, time_ms or 0.0), time_ms or 0.0)
    wanted = set(side) & set(reading.nodes)
    return _wait([firsts.get(node) for node in sorted(wanted)], reading, healed_ms)


def _backlog(reading: Reading, healed_ms: float) -> Wait:
    times: list[float | None] = []
    for operation in reading.operations:
        if operation.seen_ms is not None and operation.seen_ms <= healed_ms:
            times += [operation.final_ms.get(node) for node in reading.nodes]
    return _wait(times, reading, healed_ms)


def _wait(times: Iterable[float | None], reading: Reading, healed_ms: float) -> Wait:
    """Waits for all of some times; one that never came is cut short by the run's end."""
    known = list(times)
    if any(time is None for time in known):
        return Wait(_rounded(reading.ended_ms - healed_ms), has_ended=False)
    latest = max((time for time in known if time is not None), default=healed_ms)
    return Wait(_rounded(max(latest, healed_ms) - healed_ms))


def _rounded(time_ms: float) -> float:
    return round(time_ms, 3)
