"""Experiments whose answers are known: from theory, or from what others published.

Every function is pure: parameters in, integers out. Shares are millionths, times nanoseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.simulator.chance import MILLION, Stream
from protocol.simulator.engine import Engine
from protocol.simulator.network import Delay, Law
from protocol.simulator.overlay.message import Control, Message
from protocol.simulator.overlay.overlay import Overlay
from protocol.simulator.overlay.parameters import OverlayParameters, Strategy, gossipsub_1_0
from protocol.simulator.overlay.topology import draw_topology, everybody
from protocol.simulator.overlay.wires import WireConditions
from protocol.units import MILLISECOND, SECOND

BUCKET_NS: Final = 100 * MILLISECOND
"""Width of the classes in which the published simulation counts deliveries."""

PUBLISHED_LINKS: Final = WireConditions(
    distance=Delay(Law.UNIFORM, 10 * MILLISECOND, 150 * MILLISECOND), jitter_ppm=100_000
)
"""Links of the published simulation: a distance of 10 to 150 ms, and up to a tenth more."""

PUBLISHED_SOURCES: Final = 5
"""Nodes that publish in it, drawn at random."""

MESSAGE_GAP_NS: Final = SECOND
WARM_UP_NS: Final = 10 * SECOND
"""Time from the start to the first message in it."""
LINGER_NS: Final = 10 * SECOND
"""Time that is left to the last message in it."""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """How messages reached everybody.

    Attributes:
        published: Messages.
        wanted: Deliveries when each message reaches every node but its origin.
        delivered: Those that came about.
        copies: Copies of messages that were sent.
        by_bucket: Deliveries by the time that they took, in steps of a bucket.
        controls: Control messages sent, by kind.
        events: Copies and control together.
    """

    published: int
    wanted: int
    delivered: int
    copies: int
    by_bucket: tuple[int, ...]
    controls: tuple[tuple[str, int], ...]
    events: int

    @property
    def shares_ppm(self) -> tuple[int, ...]:
        """Of all deliveries, the share in each bucket; rounds down."""
        return tuple(count * MILLION // self.delivered for count in self.by_bucket)

    @property
    def copies_per_thousand(self) -> int:
        """Copies sent for a thousand deliveries; rounds down."""
        return self.copies * 1_000 // self.delivered


def push_rounds(count: int, seed: int) -> int:
    """Counts rounds until all nodes know a rumour that each pushes to one random node a round.

    Known: log2 n + ln n, and a constant (Frieze and Grimmett 1985; Pittel 1987).

    Args:
        count: Number of nodes.
        seed: Of all draws.
    """
    engine = Engine()
    parameters = OverlayParameters(Strategy.PUSH, dials=count)
    overlay = Overlay(engine, everybody(count), parameters, WireConditions(), seed)
    overlay.publish(0)
    rumours = overlay.rumours
    assert rumours is not None
    while overlay.tally.delivered < count - 1:
        engine.run(engine.now + parameters.round_ns)
    return rumours.rounds


def infection(count: int, fan_out: int, messages: int, seed: int) -> Deliveries:
    """Spreads messages that each node passes on once, to so many nodes out of all.

    Known: the share s that misses a message solves s = exp(-D(1 - s)).

    Args:
        count: Number of nodes.
        fan_out: Nodes that are told by each (D).
        messages: Their number, one after the other.
        seed: Of all draws.
    """
    engine, stream = Engine(), Stream(seed, "sources")
    parameters = OverlayParameters(Strategy.INFECT_AND_DIE, dials=count, fan_out=fan_out)
    overlay = Overlay(engine, everybody(count), parameters, WireConditions(), seed)
    for _ in range(messages):
        overlay.publish(stream.below(count))
        engine.run(engine.now + 1)
    return _deliveries(overlay, range(count))


def published_gossipsub(
    count: int,
    messages: int,
    seed: int,
    parameters: OverlayParameters | None = None,
    conditions: WireConditions = PUBLISHED_LINKS,
) -> Deliveries:
    """Repeats the simulation that the author of GossipSub published, on a network of our own.

    One message a second from one of five sources; each node dials 20 others at random.

    Args:
        count: Number of nodes; 1,000 there.
        messages: Their number; 60 there.
        seed: Of all draws.
        parameters: What is simulated instead of GossipSub 1.0.
        conditions: What the links are like.
    """
    engine, stream = Engine(), Stream(seed, "sources")
    chosen = parameters or gossipsub_1_0()
    topology = draw_topology(count, chosen.dials, chosen.accepts, Stream(seed, "topology"))
    overlay = Overlay(engine, topology, chosen, conditions, seed)
    sources = stream.shuffled(range(count))[:PUBLISHED_SOURCES]
    engine.run(WARM_UP_NS)
    for _ in range(messages):
        overlay.publish(stream.pick(sources))
        engine.run(engine.now + MESSAGE_GAP_NS)
    engine.run(engine.now + LINGER_NS)
    return _deliveries(overlay, range(count))


def delivered_to(messages: Sequence[Message], nodes: Sequence[int]) -> tuple[int, int]:
    """Counts deliveries of messages to nodes other than their origins: those wanted, those made."""
    wanted = delivered = 0
    for message in messages:
        for node in nodes:
            if node != message.origin:
                wanted += 1
                delivered += message.seen[node]
    return wanted, delivered


def _deliveries(overlay: Overlay, nodes: Sequence[int]) -> Deliveries:
    tally, messages = overlay.tally, overlay.messages
    buckets: dict[int, int] = {}
    for message in messages:
        for node in nodes:
            if message.seen[node] and node != message.origin:
                bucket = (message.arrivals[node] - message.born_ns) // BUCKET_NS
                buckets[bucket] = buckets.get(bucket, 0) + 1
    wanted, delivered = delivered_to(messages, nodes)
    return Deliveries(
        published=len(messages),
        wanted=wanted,
        delivered=delivered,
        copies=tally.copies,
        by_bucket=tuple(buckets.get(bucket, 0) for bucket in range(max(buckets, default=0) + 1)),
        controls=tuple((kind.value, tally.controls[kind]) for kind in Control),
        events=tally.events,
    )
