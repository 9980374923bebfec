"""Draws large networks and long runs: twenty nodes for five minutes, wave after wave of faults.

Small networks find most failures sooner; these show what takes many nodes or a long time. There is
always much that goes wrong: of each twenty seeds, nine have any one class of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from protocol.parameters import minimal, with_pace
from protocol.simulator.chance import Stream
from protocol.simulator.draw import draw_conditions, draw_skews
from protocol.simulator.draw_cast import Cast, draw_cast
from protocol.simulator.draw_faults import (
    LATE_NS,
    SAFETY_NS,
    Kind,
    Targets,
    draw_faults,
    draw_stale_disk,
)
from protocol.simulator.draw_features import MIXTURES, Feature, Steady, draw_mixture
from protocol.simulator.scenario import START_NS, Fault, Scenario, Workload
from protocol.units import MILLISECOND, SECOND

NODES: Final = 20
LENGTH_NS: Final = 300 * SECOND

STRETCHES: Final = (1, 2, 4)
"""How many times longer than in a small network a wave of faults lasts."""
STALE_STRETCH: Final = 3
"""The same of what happens to a disk, so that rounds are signed after it was copied."""
KINDS_MAX: Final = 5
"""Of faults in one wave."""
REST_NS: Final = 4 * SECOND
"""From the end of a wave to the next."""


def draw_large_scenario(seed: int) -> Scenario:
    """Draws a large network, what it is asked for, and what goes wrong."""
    stream = Stream(seed, "large")
    deal, mixture = divmod(seed + MIXTURES - 1, MIXTURES)
    features = draw_mixture("large", deal, mixture)
    cast = draw_cast(stream, features, NODES)
    skews = draw_skews(stream, len(cast.stakes))
    return Scenario(
        name="large",
        seed=seed,
        stakes=cast.stakes,
        observers=cast.observers,
        twins=cast.twins,
        conditions=draw_conditions(stream, features, NODES),
        parameters=with_pace(minimal(), stream.between(800, 1_200), stream.between(2_000, 4_000)),
        faults=tuple(_faults(stream, features, cast)),
        behaviours=cast.behaviours,
        skews_ns=skews if Steady.SKEW in features else (),
        sync_ns=stream.pick((0, 2, 10)) * MILLISECOND,
        workload=Workload(
            stream.between(30, 60), stream.between(16, 24), LENGTH_NS - 20 * SECOND, replicas=(3, 5)
        ),
        safety_ns=LENGTH_NS,
    )


def _faults(stream: Stream, features: Sequence[Feature], cast: Cast) -> Iterator[Fault]:
    """Draws old disks first and alone, and then waves of some kinds of faults each."""
    time = 0
    for node in cast.stale:
        yield _stretched(draw_stale_disk(stream, node, is_first=True), STALE_STRETCH, time)
        time = STALE_STRETCH * LATE_NS
    kinds = [one for one in features if isinstance(one, Kind)]
    while kinds and time + max(STRETCHES) * SAFETY_NS < LENGTH_NS:
        stretch = stream.pick(STRETCHES)
        chosen = stream.shuffled(kinds)[: stream.between(1, KINDS_MAX)]
        order = (node for node in stream.shuffled(range(NODES)) if node not in cast.stale)
        for fault in draw_faults(stream, chosen, Targets(NODES + len(cast.twins), order)):
            yield _stretched(fault, stretch, time)
        time += stretch * SAFETY_NS + REST_NS


def _stretched(fault: Fault, factor: int, later_ns: int) -> Fault:
    """Lets a fault begin later and last longer."""
    start_ns, end_ns = (
        START_NS + factor * (edge - START_NS) + later_ns for edge in (fault.start_ns, fault.end_ns)
    )
    return replace(fault, start_ns=start_ns, end_ns=end_ns)
