"""Swarm testing: a seed draws the whole scenario, so that no two runs test the same corner.

Few nodes and short runs: most failures of real systems need one isolated node, and are found sooner
by many small runs than by few large ones. Most seeds have one thing go wrong and nothing else, so
that no other hides it; in the rest each kind of fault is drawn by itself, so that any may meet any.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from protocol.parameters import Parameters, minimal, with_pace
from protocol.simulator.chance import MILLION, Stream
from protocol.simulator.costs import MEASURED
from protocol.simulator.draw_faults import SAFETY_NS, Kind, Targets, draw_faults, draw_stale_disk
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.queue import Capacity
from protocol.simulator.scenario import (
    START_NS,
    Arrivals,
    Behaviour,
    Fault,
    Scenario,
    Workload,
)
from protocol.units import MILLISECOND, SECOND

NODES: Final = (4, 4, 4, 4, 5, 5, 6, 7)
SKEW_MAX_NS: Final = 2 * SECOND
ASKING_NS: Final = 4 * SECOND
"""Everything is asked for within this time."""

MIXED_PPM: Final = 430_000
"""How many scenarios decide for each kind of fault by itself whether it happens."""

KIND_PPM: Final = 430_000
"""How often each does in these."""

CALM_PPM: Final = 15_000
"""How many have nothing go wrong; in all others it is one thing."""


class Steady(Enum):
    """What may be wrong during all of a run."""

    LOSS = "loss"
    DUPLICATION = "duplication"
    REORDERING = "reordering"
    SKEW = "skew"


class Doubt(Enum):
    """What may keep a member from taking part, though nobody is dishonest by choice."""

    STALE = "stale"
    """It goes back to an old copy of its disk, and sits out."""
    TWIN = "twin"
    """It runs twice, and both sit out."""


MISDEEDS: Final = (Behaviour.EQUIVOCATING, Behaviour.WITHHOLDING, Behaviour.SPAMMING)
"""Behaviours of members to choose from; copying, burying and sybils, which depend on who else there
is, have scenarios of their own."""

WORK_FAULTS: Final = (
    Behaviour.LYING,
    Behaviour.ERRING,
    Behaviour.LAZY,
    Behaviour.SILENT,
    Behaviour.HIDING,
)
"""Behaviours that only show when their node is drawn for a job."""

Feature = Kind | Steady | Doubt | Behaviour

FEATURES: Final[tuple[Feature, ...]] = (*Kind, *Steady, *Doubt, *MISDEEDS, *WORK_FAULTS)
"""Everything that can go wrong, each alone in as many scenarios as any other."""

MIXED: Final[tuple[Feature, ...]] = (*Kind, *Steady, Doubt.TWIN, *MISDEEDS)
"""What is drawn by itself. An old disk only comes alone: a member that has forgotten a block is
safe only where the others have taken in that block, which no other fault may delay."""


@dataclass(frozen=True, slots=True)
class _Setting:
    """What is known when it comes to what goes wrong.

    Attributes:
        stakes: Of the members.
        observers: Nodes outside the committee.
        dispensable: Members that a network can do without, all together.
    """

    stakes: tuple[int, ...]
    observers: int
    dispensable: tuple[int, ...]


def draw_scenario(seed: int) -> Scenario:
    """Draws a small network, what it is asked for, and what goes wrong."""
    stream = Stream(seed, "scenario")
    members = stream.pick(NODES)
    stakes = _stakes(stream, members)
    features = _features(stream)
    works_badly = any(feature in WORK_FAULTS for feature in features)
    observers = stream.below(2)
    setting = _Setting(stakes, observers, _dispensable(stream, stakes))
    doubts, behaviours = _weighty(stream, features, setting)
    return Scenario(
        name="swarm",
        seed=seed,
        stakes=stakes,
        observers=observers,
        twins=tuple(node for doubt, node in doubts if doubt is Doubt.TWIN),
        conditions=_conditions(stream, features),
        parameters=_parameters(stream),
        faults=_faults(stream, features, doubts, members + observers),
        behaviours=behaviours,
        skews_ns=_skews(stream, members) if Steady.SKEW in features else (),
        sync_ns=stream.pick((0, 2, 10)) * MILLISECOND,
        sync_delay=_sync_delay(stream),
        costs=MEASURED if stream.hits(100_000) else None,
        workload=_workload(stream, works_badly=works_badly),
        safety_ns=SAFETY_NS,
    )


def _features(stream: Stream) -> tuple[Feature, ...]:
    """Chooses what goes wrong."""
    number = stream.below(MILLION)
    if number < CALM_PPM:
        return ()
    if number >= CALM_PPM + MIXED_PPM:
        return (stream.pick(FEATURES),)
    drawn = tuple(one for one in MIXED if stream.hits(KIND_PPM))
    return (*drawn, stream.pick(WORK_FAULTS)) if stream.hits(KIND_PPM) else drawn


def _stakes(stream: Stream, members: int) -> tuple[int, ...]:
    if stream.hits(500_000):
        return (5_000,) * members
    return tuple(stream.between(2_000, 10_000) for _ in range(members))


def _dispensable(stream: Stream, stakes: tuple[int, ...]) -> tuple[int, ...]:
    """Draws members whose stake together stays below a third."""
    chosen: list[int] = []
    for node in stream.shuffled(range(len(stakes))):
        weight = sum(stakes[other] for other in (*chosen, node))
        if 3 * weight < sum(stakes) and len(chosen) < 2:
            chosen.append(node)
    return tuple(chosen)


def _weighty(
    stream: Stream, features: Sequence[Feature], setting: _Setting
) -> tuple[tuple[tuple[Doubt, int], ...], tuple[tuple[int, Behaviour], ...]]:
    """Gives what makes a member of no use to as many members as there may be of these.

    A bad worker is outside the committee where there is such a node, and costs nothing there.
    """
    doubts: list[tuple[Doubt, int]] = []
    bad: list[tuple[int, Behaviour]] = []
    for feature in features:
        if isinstance(feature, Behaviour) and feature in WORK_FAULTS and setting.observers:
            bad.append((len(setting.stakes), feature))
    outside = [feature for _, feature in bad]
    wanted = [one for one in features if isinstance(one, Doubt | Behaviour) and one not in outside]
    for node, feature in zip(setting.dispensable, stream.shuffled(wanted), strict=False):
        if isinstance(feature, Doubt):
            doubts.append((feature, node))
        else:
            bad.append((node, feature))
    return tuple(doubts), tuple(sorted(bad, key=lambda one: one[0]))


def _conditions(stream: Stream, features: Sequence[Feature]) -> Conditions:
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
        regions=(0, 0, 1, 1, 0, 1, 0, 1),
        region_delays_ns=((0, far_ns), (far_ns, 0)) if stream.hits(150_000) else (),
    )


def _parameters(stream: Stream) -> Parameters:
    return with_pace(minimal(), stream.between(300, 600), stream.between(800, 1_500))


def _faults(
    stream: Stream,
    features: Sequence[Feature],
    doubts: Sequence[tuple[Doubt, int]],
    nodes: int,
) -> tuple[Fault, ...]:
    stale = [node for doubt, node in doubts if doubt is Doubt.STALE]
    found: list[Fault] = [draw_stale_disk(stream, node) for node in stale]
    order = (node for node in stream.shuffled(range(nodes)) if node not in stale)
    kinds = [one for one in features if isinstance(one, Kind)]
    return (*found, *draw_faults(stream, kinds, Targets(nodes, order)))


def _skews(stream: Stream, members: int) -> tuple[int, ...]:
    skews = (stream.between(-SKEW_MAX_NS, SKEW_MAX_NS) for _ in range(members))
    return tuple(max(-START_NS, skew) for skew in skews)


def _sync_delay(stream: Stream) -> Delay | None:
    if not stream.hits(250_000):
        return None
    return Delay(Law.LONG_TAILED, MILLISECOND, stream.between(2, 20) * MILLISECOND)


def _workload(stream: Stream, *, works_badly: bool) -> Workload:
    """Asks for more jobs, and for each of more workers, where some of them are bad."""
    transfers, jobs = stream.between(2, 10), stream.between(1, 2)
    arrivals = stream.pick(tuple(Arrivals))
    workload = Workload(transfers, jobs, ASKING_NS, arrivals)
    return replace(workload, jobs=jobs + 3, replicas=(3, 3)) if works_badly else workload
