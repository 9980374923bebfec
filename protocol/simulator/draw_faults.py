"""Draws faults of given kinds: their shape, their time and whom they hit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocol.simulator.chance import Stream
from protocol.simulator.cuts import links_of
from protocol.simulator.fault_builders import (
    Span,
    bridge,
    deaf,
    flapping,
    in_sizes,
    isolated,
    majorities_ring,
    minority,
    mute,
    partial_cut,
    slow_node,
    swizzle,
    three_ways,
)
from protocol.simulator.queue import Capacity
from protocol.simulator.scenario import (
    START_NS,
    ClockJump,
    Clog,
    Crash,
    Cut,
    DuplicateBurst,
    Fault,
    LossBurst,
    Partition,
    Pause,
    ReorderBurst,
    SlowLink,
    StaleDisk,
    StoreFailure,
    TornWrite,
)
from protocol.units import MILLISECOND, SECOND

SAFETY_NS: Final = 9 * SECOND
FAULT_MIN_NS: Final = 2 * SECOND
FAULT_MAX_NS: Final = 4 * SECOND
BEGINNING_NS: Final = 4 * SECOND
"""Faults begin within this time."""
SETTLING_NS: Final = SECOND
"""Nodes get so long to find one another before anything goes wrong."""
DOWN_NS: Final = 1_500 * MILLISECOND
"""A node that goes back to an old disk is down so long that all have taken in what it sent. If they
had not, nobody could tell it: it would sign a round twice and lose stake."""
FIRST_NS: Final = SECOND // 2
"""A disk that is first to go wrong is copied within this time."""
LATE_NS: Final = FIRST_NS + FAULT_MAX_NS + SECOND
"""What follows a member with an old disk comes so much later: a second after it is back. A member
that has forgotten a block is safe only where the others have taken in that block."""
FLAPPING_NS: Final = 2 * SECOND
"""Period of what comes and goes."""


class Kind(Enum):
    """A class of faults to draw from."""

    PARTITION = "partition"
    CUT = "cut"
    SLOW = "slow"
    CLOG = "clog"
    LOSS = "loss"
    DUPLICATES = "duplicates"
    REORDER = "reorder"
    CRASH = "crash"
    PAUSE = "pause"
    CLOCK = "clock"
    STORE = "store"
    TORN = "torn"


LINK_KINDS: Final = (
    Kind.PARTITION,
    Kind.CUT,
    Kind.SLOW,
    Kind.CLOG,
    Kind.LOSS,
    Kind.DUPLICATES,
    Kind.REORDER,
)


@dataclass(frozen=True, slots=True)
class Targets:
    """Whom faults may hit.

    Attributes:
        nodes: How many there are, twins included.
        spare: Nodes in the order in which faults of one node take them, each a node of its own.
    """

    nodes: int
    spare: Iterator[int]


def draw_faults(
    stream: Stream, kinds: Sequence[Kind], targets: Targets, late_ns: int = 0
) -> Iterator[Fault]:
    """Draws one fault of each kind; those of a node end when there is no node left.

    Args:
        stream: Draws everything about them.
        kinds: Which kinds.
        targets: Whom they may hit.
        late_ns: How much later than usual they come.
    """
    is_alone = len(kinds) == 1
    for kind in kinds:
        start, end = _draw_span(stream, BEGINNING_NS)
        span = start + late_ns, end + late_ns
        if kind in LINK_KINDS:
            yield from _link_faults(stream, kind, span, targets.nodes, is_alone)
        else:
            node = next(targets.spare, None)
            if node is not None:
                yield _node_fault(stream, kind, span, node)


def draw_stale_disk(stream: Stream, node: int, *, is_first: bool) -> StaleDisk:
    """Draws when a node's disk is copied and when it goes back to the copy.

    Args:
        stream: Draws it.
        node: Whose disk.
        is_first: Whether others follow, so that it has to be over by then.
    """
    beginning_ns = FIRST_NS if is_first else BEGINNING_NS
    return StaleDisk(*_draw_span(stream, beginning_ns), node, DOWN_NS)


def _draw_span(stream: Stream, beginning_ns: int) -> Span:
    """Draws when a fault begins and ends."""
    start = START_NS + SETTLING_NS + stream.below(beginning_ns)
    end = min(SAFETY_NS - MILLISECOND, start + stream.between(FAULT_MIN_NS, FAULT_MAX_NS))
    return start, end


def _link_faults(
    stream: Stream, kind: Kind, span: Span, nodes: int, is_alone: bool
) -> Sequence[Fault]:
    """Draws the shape of a fault; beside others none that they would keep from biting."""
    match kind:
        case Kind.PARTITION:
            return _partitions(stream, span, nodes)
        case Kind.CUT:
            return (_cut(stream, span, nodes),)
        case Kind.SLOW:
            return _slow_links(stream, span, nodes, is_alone)
        case Kind.CLOG:
            if is_alone and stream.below(2):
                return swizzle(span, stream, nodes)
            return (Clog(*span, links_of(stream.below(nodes), nodes)),)
        case _:
            return (_burst(stream, kind, span),)


def _burst(stream: Stream, kind: Kind, span: Span) -> Fault:
    ppm = stream.between(100_000, 600_000)
    match kind:
        case Kind.LOSS:
            return LossBurst(*span, ppm)
        case Kind.DUPLICATES:
            return DuplicateBurst(*span, ppm)
        case _:
            return ReorderBurst(*span, ppm, stream.between(50, 800) * MILLISECOND)


def _partitions(stream: Stream, span: Span, nodes: int) -> Sequence[Partition]:
    """Isolates one node, once or again and again, or splits into two or three groups."""
    order = stream.shuffled(range(nodes))
    match stream.below(5):
        case 0:
            return (isolated(span, order[0], nodes),)
        case 1:
            return (minority(span, order),)
        case 2:
            return (Partition(*span, in_sizes(order, nodes // 2)),)
        case 3:
            return (three_ways(span, order),)
        case _:
            found = flapping(span, FLAPPING_NS, lambda each: isolated(each, order[0], nodes))
            return found or (isolated(span, order[0], nodes),)


def _cut(stream: Stream, span: Span, nodes: int) -> Cut:
    """Cuts links so that the nodes do not fall into groups."""
    order = stream.shuffled(range(nodes))
    match stream.below(6):
        case 0:
            return partial_cut(span, order[0], order[1])
        case 1:
            half = (nodes - 1) // 2
            return bridge(span, order[:half], order[half:-1])
        case 2:
            return majorities_ring(span, nodes)
        case 3:
            return deaf(span, order[0], nodes)
        case 4:
            return mute(span, order[0], nodes)
        case _:
            mixed = stream.shuffled([(a, b) for a in range(nodes) for b in range(nodes) if a != b])
            return Cut(*span, tuple(mixed[: stream.between(1, nodes)]))


def _slow_links(stream: Stream, span: Span, nodes: int, is_alone: bool) -> Sequence[SlowLink]:
    """Slows down a node or a pair, for a time on the way, or in speed, or both."""
    extra_ns = stream.between(50, 500) * MILLISECOND
    capacity = Capacity(stream.between(32, 256) * 1_000, 32_000) if stream.below(3) else None
    order = stream.shuffled(range(nodes))
    if not is_alone or stream.below(2):
        return slow_node(span, order[0], nodes, extra_ns, capacity)
    return (SlowLink(*span, ((order[0], order[1]), (order[1], order[0])), extra_ns, capacity),)


def _node_fault(stream: Stream, kind: Kind, span: Span, node: int) -> Fault:
    match kind:
        case Kind.CRASH:
            return Crash(*span, node)
        case Kind.PAUSE:
            return Pause(*span, node)
        case Kind.CLOCK:
            return ClockJump(*span, node, stream.between(-3, 3) * SECOND + MILLISECOND)
        case Kind.STORE:
            return StoreFailure(*span, node)
        case Kind.TORN:
            return TornWrite(*span, node)
        case _:
            raise AssertionError(kind)
