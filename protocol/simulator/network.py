"""Links between nodes: delay, loss, duplication and cuts of each directed pair.

Gossip reaches every node that some chain of uncut links leads to; a message to one peer takes the
link to it alone. What a link does to a message is drawn from its sender's own streams.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from protocol import events as ev
from protocol.simulator.chance import Stream
from protocol.simulator.engine import Engine

Pair = tuple[int, int]
"""A directed link: source and target node."""


class Law(Enum):
    """How delays are spread."""

    CONSTANT = "constant"
    UNIFORM = "uniform"
    LONG_TAILED = "long-tailed"


@dataclass(frozen=True, slots=True)
class Delay:
    """One-way delay of a link.

    Attributes:
        law: How it is spread.
        low_ns: The shortest, and the only one when constant.
        high_ns: The longest when uniform, the mean when long-tailed.
    """

    law: Law
    low_ns: int
    high_ns: int

    def draw(self, stream: Stream) -> int:
        """Draws one message's delay in nanoseconds."""
        match self.law:
            case Law.CONSTANT:
                return self.low_ns
            case Law.UNIFORM:
                return stream.between(self.low_ns, self.high_ns)
            case Law.LONG_TAILED:
                return self.low_ns + stream.long_tailed(self.high_ns - self.low_ns)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all links are like while no fault changes them.

    Attributes:
        delay: Of every link that `slow` does not name.
        loss_ppm: Millionths of messages that vanish.
        duplicate_ppm: Millionths of messages that arrive twice.
        slow: Delay of single directed links.
    """

    delay: Delay
    loss_ppm: int = 0
    duplicate_ppm: int = 0
    slow: tuple[tuple[Pair, Delay], ...] = ()


@dataclass(slots=True)
class Traffic:
    """What the links have carried, and what became of it.

    Attributes:
        cut: Messages that met a cut link, and were lost or went round.
    """

    messages: int = 0
    size_bytes: int = 0
    lost: int = 0
    duplicated: int = 0
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Parcel:
    """An event on its way.

    Attributes:
        make: Builds the event from the node that hands it over.
        size_bytes: Its length on the wire.
    """

    make: Callable[[int], ev.Event]
    size_bytes: int


@dataclass(slots=True)
class _Sender:
    """The streams of one sending node."""

    delay: Stream
    loss: Stream
    duplicate: Stream


class Network:
    """All links of one simulated network.

    Args:
        engine: Virtual time.
        count: Number of nodes.
        conditions: What the links are like.
        seed: Of all draws.
        deliver: Called with the target and the event when a message arrives.

    Attributes:
        loss_ppm: Loss now; a fault may raise it for a while.
        links: What each directed link that was used has carried.
    """

    def __init__(
        self,
        engine: Engine,
        count: int,
        conditions: Conditions,
        seed: int,
        deliver: Callable[[int, ev.Event], None],
    ) -> None:
        self._engine = engine
        self._count = count
        self._conditions = conditions
        self._slow: Mapping[Pair, Delay] = dict(conditions.slow)
        self._deliver = deliver
        self._cuts: dict[Pair, int] = {}
        self._senders = [
            _Sender(Stream(seed, "delay", n), Stream(seed, "loss", n), Stream(seed, "duplicate", n))
            for n in range(count)
        ]
        self.loss_ppm = conditions.loss_ppm
        self.links: dict[Pair, Traffic] = {}

    @property
    def traffic(self) -> Traffic:
        """What all links together have carried."""
        parts = self.links.values()
        return Traffic(
            sum(part.messages for part in parts),
            sum(part.size_bytes for part in parts),
            sum(part.lost for part in parts),
            sum(part.duplicated for part in parts),
            sum(part.cut for part in parts),
        )

    def is_cut(self, source: int, target: int) -> bool:
        """Whether nothing passes from one node to another."""
        return (source, target) in self._cuts

    def cut(self, pairs: Iterable[Pair]) -> None:
        """Cuts directed links; a link cut twice needs healing twice."""
        for pair in pairs:
            self._cuts[pair] = self._cuts.get(pair, 0) + 1

    def heal(self, pairs: Iterable[Pair]) -> None:
        """Undoes a cut."""
        for pair in pairs:
            self._cuts[pair] -= 1
            if not self._cuts[pair]:
                del self._cuts[pair]

    def send(self, source: int, target: int, parcel: Parcel) -> None:
        """Sends to one node, over the link to it alone."""
        self._carry((source, target), parcel, 0)

    def gossip(self, source: int, targets: Iterable[int], parcel: Parcel) -> None:
        """Sends to all of these nodes that some chain of links leads to."""
        routes = self._routes(source) if self._cuts else None
        for target in targets:
            if target == source:
                continue
            if routes is None:
                self._carry((source, target), parcel, 0)
            elif target not in routes:
                self._link((source, target)).cut += 1
            else:
                relay, hops = routes[target]
                self._link((source, target)).cut += hops > 1
                law = self._conditions.delay
                stream = self._senders[source].delay
                waited = sum(law.draw(stream) for _ in range(hops - 1))
                self._carry((relay, target), parcel, waited)

    def _carry(self, pair: Pair, parcel: Parcel, waited: int) -> None:
        source, target = pair
        sender = self._senders[source]
        traffic = self._link(pair)
        if pair in self._cuts:
            traffic.cut += 1
            return
        traffic.messages += 1
        traffic.size_bytes += parcel.size_bytes
        if self.loss_ppm and sender.loss.hits(self.loss_ppm):
            traffic.lost += 1
            return
        event = parcel.make(source)
        law = self._slow.get(pair, self._conditions.delay)
        self._engine.after(waited + law.draw(sender.delay), lambda: self._deliver(target, event))
        copies = self._conditions.duplicate_ppm
        if copies and sender.duplicate.hits(copies):
            traffic.duplicated += 1
            late = waited + 2 * law.draw(sender.duplicate)
            self._engine.after(late, lambda: self._deliver(target, event))

    def _link(self, pair: Pair) -> Traffic:
        traffic = self.links.get(pair)
        if traffic is None:
            traffic = self.links[pair] = Traffic()
        return traffic

    def _routes(self, source: int) -> dict[int, Pair]:
        """Finds for each node that can be reached its last relay and the number of links."""
        routes: dict[int, Pair] = {source: (source, 0)}
        queue = deque([source])
        while queue:
            relay = queue.popleft()
            for target in range(self._count):
                if target not in routes and (relay, target) not in self._cuts:
                    routes[target] = (relay, routes[relay][1] + 1)
                    queue.append(target)
        return routes


def between_groups(groups: Iterable[Iterable[int]]) -> tuple[Pair, ...]:
    """Names the links that separate groups of nodes, in both directions."""
    sides = [tuple(group) for group in groups]
    return tuple(
        (source, target)
        for here, side in enumerate(sides)
        for there, other in enumerate(sides)
        if here != there
        for source in side
        for target in other
    )
