"""Swarm testing: a seed draws the whole scenario, so that no two runs test the same corner.

Few nodes and short runs: most failures of real systems need one isolated node, and are found sooner
by many small runs than by few large ones.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from protocol.parameters import Parameters, minimal, with_jury, with_pace
from protocol.simulator.chance import Stream
from protocol.simulator.costs import MEASURED
from protocol.simulator.draw_cast import Cast, draw_cast
from protocol.simulator.draw_faults import (
    LATE_NS,
    SAFETY_NS,
    Kind,
    Targets,
    draw_faults,
    draw_stale_disk,
)
from protocol.simulator.draw_features import WORK_FAULTS, Feature, Steady, draw_features
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.queue import Capacity
from protocol.simulator.scenario import START_NS, Arrivals, Behaviour, Fault, Scenario, Workload
from protocol.units import MILLISECOND, SECOND

SKEW_MAX_NS: Final = 2 * SECOND
ASKING_NS: Final = 4 * SECOND
"""Everything is asked for within this time, or twice as long where workers are bad."""
HIDDEN: Final = 6
"""Transfers besides, for those who hide some."""


def draw_scenario(seed: int) -> Scenario:
    """Draws a small network, what it is asked for, and what goes wrong."""
    stream = Stream(seed, "scenario")
    features = draw_features(seed)
    cast = draw_cast(stream, features)
    nodes = len(cast.stakes) + cast.observers
    late_ns = LATE_NS if cast.stale and len(features) > 1 else 0
    return Scenario(
        name="swarm",
        seed=seed,
        stakes=cast.stakes,
        observers=cast.observers,
        twins=cast.twins,
        conditions=draw_conditions(stream, features, nodes),
        parameters=_parameters(seed, stream),
        faults=_faults(stream, features, cast, late_ns),
        behaviours=cast.behaviours,
        skews_ns=draw_skews(stream, len(cast.stakes)) if Steady.SKEW in features else (),
        sync_ns=stream.pick((0, 2, 10)) * MILLISECOND,
        sync_delay=_sync_delay(stream),
        costs=MEASURED if stream.hits(100_000) else None,
        workload=_workload(stream, features, late_ns),
        safety_ns=SAFETY_NS + late_ns,
    )


def draw_conditions(stream: Stream, features: Sequence[Feature], nodes: int) -> Conditions:
    """Draws what links are like."""
    low = stream.between(5, 60) * MILLISECOND
    delay = Delay(stream.pick(tuple(Law)), low, low + stream.between(10, 120) * MILLISECOND)
    loss_ppm, duplicate_ppm = stream.between(5_000, 150_000), stream.between(5_000, 300_000)
    reorder_ppm, reorder_ms = stream.between(5_000, 300_000), stream.between(20, 400)
    far_ns = stream.between(10, 80) * MILLISECOND
    reorders = Steady.REORDERING in features
    return Conditions(
        delay=delay,
        loss_ppm=loss_ppm if Steady.LOSS in features else 0,
        duplicate_ppm=duplicate_ppm if Steady.DUPLICATION in features else 0,
        reorder_ppm=reorder_ppm if reorders else 0,
        reorder_ns=reorder_ms * MILLISECOND if reorders else 0,
        uplink=Capacity(stream.between(1, 8) * 1_000_000) if stream.hits(150_000) else None,
        regions=tuple(stream.below(2) for _ in range(nodes)),
        region_delays_ns=((0, far_ns), (far_ns, 0)) if stream.hits(150_000) else (),
    )


def draw_skews(stream: Stream, members: int) -> tuple[int, ...]:
    """Draws what each member's clock is off by."""
    skews = (stream.between(-SKEW_MAX_NS, SKEW_MAX_NS) for _ in range(members))
    return tuple(max(-START_NS, skew) for skew in skews)


def _parameters(seed: int, stream: Stream) -> Parameters:
    """Draws the pace, and in a third of the networks a jury, as large as so few workers allow."""
    terms = with_pace(minimal(), stream.between(300, 600), stream.between(800, 1_500))
    return with_jury(terms, Stream(seed, "jury").pick((0, 0, 0, 0, 1, 2)))


def _faults(
    stream: Stream, features: Sequence[Feature], cast: Cast, late_ns: int
) -> tuple[Fault, ...]:
    """Draws everything that goes wrong for a time; old disks come first and alone.

    Links of twins fail as all others do: one that kept them would join what a partition divides.
    """
    originals = len(cast.stakes) + cast.observers
    found = [draw_stale_disk(stream, node, is_first=late_ns > 0) for node in cast.stale]
    order = (node for node in stream.shuffled(range(originals)) if node not in cast.stale)
    kinds = [one for one in features if isinstance(one, Kind)]
    targets = Targets(originals + len(cast.twins), order)
    return (*found, *draw_faults(stream, kinds, targets, late_ns))


def _sync_delay(stream: Stream) -> Delay | None:
    if not stream.hits(250_000):
        return None
    return Delay(Law.LONG_TAILED, MILLISECOND, stream.between(2, 20) * MILLISECOND)


def _workload(stream: Stream, features: Sequence[Feature], late_ns: int) -> Workload:
    """Asks for more where that shows who is bad: for longer, so that all have staked by then."""
    transfers, jobs = stream.between(2, 10), stream.between(1, 2)
    arrivals = stream.pick(tuple(Arrivals))
    workload = Workload(transfers, jobs, ASKING_NS + late_ns, arrivals)
    if Behaviour.BURYING in features:
        workload = replace(workload, transfers=transfers + HIDDEN)
    if not any(feature in WORK_FAULTS for feature in features):
        return workload
    replicas = (3, 3) if len(features) == 1 else (4, 5)
    return replace(workload, jobs=jobs + 3, span_ns=2 * ASKING_NS + late_ns, replicas=replicas)
