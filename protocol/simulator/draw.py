"""Swarm testing: a seed draws the whole scenario, so that no two runs test the same corner.

Few nodes and few faults: most failures of real systems need one isolated node, and what takes five
faults to break is found sooner by many small runs than by few large ones.
"""

from typing import Final

from protocol.parameters import Parameters, minimal, with_pace
from protocol.simulator.chance import Stream
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import (
    START_NS,
    Behaviour,
    ClockJump,
    Crash,
    Cut,
    Fault,
    LossBurst,
    Partition,
    Pause,
    Scenario,
    StoreFailure,
    Workload,
)
from protocol.units import MILLISECOND, SECOND

NODES: Final = (4, 4, 4, 4, 5, 5, 6, 7)
FAULTS: Final = (0, 0, 0, 1, 1, 1, 1, 2, 3)
"""Numbers of temporary faults to choose from."""
SAFETY_NS: Final = 7 * SECOND
FAULT_MIN_NS: Final = SECOND
FAULT_MAX_NS: Final = 4 * SECOND
SETTLING_NS: Final = SECOND
"""Nodes get so long to find one another before anything goes wrong."""
SKEW_MAX_NS: Final = 2 * SECOND
BAD_SHARE_PPM: Final = 450_000
"""How many scenarios have dishonest nodes."""

MISDEEDS: Final = (
    Behaviour.EQUIVOCATING,
    Behaviour.WITHHOLDING,
    Behaviour.LYING,
    Behaviour.SILENT,
)
"""Behaviours to choose from; copying, which depends on who else is drawn, has its own scenario."""

WORK_FAULTS: Final = (Behaviour.LYING, Behaviour.SILENT)
"""Behaviours that only show when their node is drawn for a job."""

KINDS: Final = ("partition", "cut", "loss", "crash", "crash", "pause", "clock", "store")


def draw_scenario(seed: int) -> Scenario:
    """Draws a small network, what it is asked for, and what goes wrong."""
    stream = Stream(seed, "scenario")
    members = stream.pick(NODES)
    stakes = _stakes(stream, members)
    observers = stream.below(2)
    behaviours = _behaviours(stream, stakes, observers)
    jobs = stream.between(1, 2)
    if any(behaviour in WORK_FAULTS for _, behaviour in behaviours):
        jobs += 2
    workload = Workload(stream.between(2, 10), jobs, 3 * SECOND)
    faults = tuple(_fault(stream, members + observers) for _ in range(stream.pick(FAULTS)))
    skews: tuple[int, ...] = ()
    if stream.hits(250_000):
        skews = tuple(stream.between(-SKEW_MAX_NS, SKEW_MAX_NS) for _ in range(members))
        skews = tuple(max(-START_NS, skew) for skew in skews)
    return Scenario(
        name="swarm",
        seed=seed,
        stakes=stakes,
        observers=observers,
        conditions=_conditions(stream),
        parameters=_parameters(stream),
        faults=faults,
        behaviours=behaviours,
        skews_ns=skews,
        sync_ns=stream.pick((0, 2, 10)) * MILLISECOND,
        workload=workload,
        safety_ns=SAFETY_NS,
    )


def _stakes(stream: Stream, members: int) -> tuple[int, ...]:
    if stream.hits(500_000):
        return (5_000,) * members
    return tuple(stream.between(2_000, 10_000) for _ in range(members))


def _conditions(stream: Stream) -> Conditions:
    law = stream.pick((Law.CONSTANT, Law.UNIFORM, Law.UNIFORM, Law.LONG_TAILED))
    low = stream.between(5, 60) * MILLISECOND
    delay = Delay(law, low, low + stream.between(10, 120) * MILLISECOND)
    loss_ppm = stream.between(5_000, 150_000) if stream.hits(300_000) else 0
    duplicate_ppm = stream.between(5_000, 300_000) if stream.hits(300_000) else 0
    return Conditions(delay, loss_ppm, duplicate_ppm)


def _parameters(stream: Stream) -> Parameters:
    return with_pace(minimal(), stream.between(300, 600), stream.between(800, 1_500))


def _behaviours(
    stream: Stream, stakes: tuple[int, ...], observers: int
) -> tuple[tuple[int, Behaviour], ...]:
    """Makes members dishonest while their stake stays below a third."""
    if not stream.hits(BAD_SHARE_PPM):
        return ()
    bad = stream.pick(MISDEEDS)
    chosen: list[int] = []
    for node in stream.shuffled(range(len(stakes))):
        weight = sum(stakes[other] for other in (*chosen, node))
        if 3 * weight < sum(stakes) and len(chosen) < 2:
            chosen.append(node)
    if observers and bad in WORK_FAULTS:
        chosen = [len(stakes), *chosen[:1]]
    return tuple((node, bad) for node in sorted(chosen))


def _fault(stream: Stream, nodes: int) -> Fault:
    start = START_NS + SETTLING_NS + stream.below(2 * SECOND)
    end = min(SAFETY_NS - MILLISECOND, start + stream.between(FAULT_MIN_NS, FAULT_MAX_NS))
    node = stream.below(nodes)
    kind = stream.pick(KINDS)
    match kind:
        case "partition":
            fault: Fault = Partition(start, end, _groups(stream, nodes))
        case "cut":
            mixed = stream.shuffled([(a, b) for a in range(nodes) for b in range(nodes) if a != b])
            fault = Cut(start, end, tuple(mixed[: stream.between(1, nodes)]))
        case "loss":
            fault = LossBurst(start, end, stream.between(100_000, 600_000))
        case "crash":
            fault = Crash(start, end, node)
        case "pause":
            fault = Pause(start, end, node)
        case "clock":
            fault = ClockJump(start, end, node, stream.between(-3, 3) * SECOND + MILLISECOND)
        case _:
            fault = StoreFailure(start, end, node)
    return fault


def _groups(stream: Stream, nodes: int) -> tuple[tuple[int, ...], ...]:
    """Isolates one node, or splits into two or three groups."""
    mixed = stream.shuffled(range(nodes))
    match stream.below(3):
        case 0:
            sizes = [1]
        case 1:
            sizes = [nodes // 2]
        case _:
            sizes = [max(1, nodes // 3), max(1, nodes // 3)]
    groups, first = [], 0
    for size in sizes:
        groups.append(tuple(mixed[first : first + size]))
        first += size
    return (*groups, tuple(mixed[first:]))
