"""Links between nodes: delay, speed, loss, duplication, order and cuts of each directed pair.

Gossip reaches every node that some chain of uncut links leads to; a message to one peer takes the
link to it alone. What a link does to a message is drawn from its sender's own streams.

A message first waits for its sender's uplink and then for the link itself, where these have a
speed; a full queue drops it. Then it may be lost. What is left takes the delay drawn for it, what
its regions add, and what a fault adds. Streams and acknowledgements are not modelled: what is
dropped or lost is gone, and the protocol has to ask again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from protocol import events as ev
from protocol.simulator.chance import Stream
from protocol.simulator.engine import Engine
from protocol.simulator.queue import Capacity, Queue
from protocol.simulator.routes import routes_from
from protocol.simulator.traffic import Traffic

Pair = tuple[int, int]
"""A directed link: source and target node."""


class Law(Enum):
    """How delays are spread."""

    CONSTANT = "constant"
    UNIFORM = "uniform"
    LONG_TAILED = "long-tailed"
    NORMAL = "normal"
    LOGNORMAL = "lognormal"


@dataclass(frozen=True, slots=True)
class Delay:
    """A time that is drawn anew each time, as the one-way delay of a link.

    Attributes:
        law: How it is spread.
        low_ns: The shortest, and the only one when constant.
        high_ns: The longest when uniform or normal, the mean when long-tailed or lognormal.
    """

    law: Law
    low_ns: int
    high_ns: int

    def draw(self, stream: Stream) -> int:
        """Draws one time in nanoseconds."""
        match self.law:
            case Law.UNIFORM:  # the one of nearly all large networks, so the first to be tried
                return stream.between(self.low_ns, self.high_ns)
            case Law.CONSTANT:
                return self.low_ns
            case Law.LONG_TAILED:
                return self.low_ns + stream.long_tailed(self.high_ns - self.low_ns)
            case Law.NORMAL:
                return stream.bell(self.low_ns, self.high_ns)
            case Law.LOGNORMAL:
                return self.low_ns + stream.skewed(self.high_ns - self.low_ns)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all links are like while no fault changes them.

    Attributes:
        delay: Of every link that `slow` does not name.
        loss_ppm: Millionths of messages that vanish.
        duplicate_ppm: Millionths of messages that arrive twice.
        slow: Delay of single directed links.
        lossy: Further loss of single directed links, in millionths.
        reorder_ppm: Millionths of messages that are held back, so that later ones overtake them.
        reorder_ns: The longest that such a message is held back.
        uplink: Of every node that `uplinks` does not name; None when it is never full.
        uplinks: Of single nodes.
        narrow: Speed of single directed links; others are as fast as the uplinks before them.
        regions: Region of each node; missing ones are in region 0.
        region_delays_ns: What links from one region (row) to another (column) add to the delay.
    """

    delay: Delay
    loss_ppm: int = 0
    duplicate_ppm: int = 0
    slow: tuple[tuple[Pair, Delay], ...] = ()
    lossy: tuple[tuple[Pair, int], ...] = ()
    reorder_ppm: int = 0
    reorder_ns: int = 0
    uplink: Capacity | None = None
    uplinks: tuple[tuple[int, Capacity], ...] = ()
    narrow: tuple[tuple[Pair, Capacity], ...] = ()
    regions: tuple[int, ...] = ()
    region_delays_ns: tuple[tuple[int, ...], ...] = ()

    def base_ns(self, pair: Pair) -> int:
        """What the regions of a link's ends add to its delay."""
        if not self.region_delays_ns:
            return 0
        source, target = (self.regions[n] if n < len(self.regions) else 0 for n in pair)
        return self.region_delays_ns[source][target]


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
    """The streams of one sending node, and its uplink."""

    delay: Stream
    loss: Stream
    duplicate: Stream
    reorder: Stream
    uplink: Queue | None


@dataclass(slots=True)
class _Link:
    """One directed link as it is now.

    Attributes:
        extra_ns: What regions and faults add to the delay.
        loss_ppm: What it loses besides what all links lose.
        queues: What a message waits for, one after the other.
        held_until: Nothing arrives before.
    """

    pair: Pair
    sender: _Sender
    law: Delay
    extra_ns: int
    loss_ppm: int
    queues: list[Queue]
    held_until: int = 0
    traffic: Traffic = field(default_factory=Traffic)


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
        duplicate_ppm: The same of duplication.
        reorders: Share and longest time of what is held back now, one entry for each reason.
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
        self._deliver = deliver
        self._cuts: dict[Pair, int] = {}
        uplinks = dict(conditions.uplinks)
        self._senders = [
            _Sender(
                Stream(seed, "delay", node),
                Stream(seed, "loss", node),
                Stream(seed, "duplicate", node),
                Stream(seed, "reorder", node),
                _queue(uplinks.get(node, conditions.uplink)),
            )
            for node in range(count)
        ]
        self._slow: Mapping[Pair, Delay] = dict(conditions.slow)
        self._lossy = dict(conditions.lossy)
        self._narrow = dict(conditions.narrow)
        self._links: dict[Pair, _Link] = {}
        self._links_of: list[dict[int, _Link]] = [{} for _ in range(count)]
        """The same links by source and then by target, for whoever needs many of one source."""
        self.loss_ppm = conditions.loss_ppm
        self.duplicate_ppm = conditions.duplicate_ppm
        self.reorders: list[tuple[int, int]] = []
        if conditions.reorder_ppm:
            self.reorders.append((conditions.reorder_ppm, conditions.reorder_ns))

    @property
    def links(self) -> dict[Pair, Traffic]:
        """What each directed link that was used has carried."""
        return {pair: link.traffic for pair, link in self._links.items()}

    @property
    def traffic(self) -> Traffic:
        """What all links together have carried."""
        return self.traffic_of(self._links)

    def traffic_of(self, pairs: Iterable[Pair]) -> Traffic:
        """What some links together have carried."""
        total = Traffic()
        for pair in pairs:
            total.add(self._link(pair).traffic)
        return total

    # Faults

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

    def slow_down(self, pairs: Iterable[Pair], extra_ns: int, queue: Queue | None) -> None:
        """Delays what links carry, and lets all of it wait for one more queue."""
        for pair in pairs:
            link = self._link(pair)
            link.extra_ns += extra_ns
            if queue is not None:
                link.queues.append(queue)

    def speed_up(self, pairs: Iterable[Pair], extra_ns: int, queue: Queue | None) -> None:
        """Undoes a slowdown for what is sent from now on."""
        for pair in pairs:
            link = self._link(pair)
            link.extra_ns -= extra_ns
            if queue is not None:
                link.queues.remove(queue)

    def hold(self, pairs: Iterable[Pair], until: int) -> None:
        """Lets nothing that is sent from now on arrive before a time."""
        for pair in pairs:
            link = self._link(pair)
            link.held_until = max(link.held_until, until)

    # Messages

    def send(self, source: int, target: int, parcel: Parcel) -> None:
        """Sends to one node, over the link to it alone."""
        self._carry((source, target), parcel, 0)

    def spread(
        self, source: int, targets: Iterable[int], size_bytes: int
    ) -> Iterator[tuple[int, int]]:
        """Sends one message over each of some links; yields who gets a copy when.

        The caller hands the copies over itself: it may know of some that they tell nothing new.
        """
        now, links, arrivals = self._engine.now, self._links_of[source], self._arrivals
        for target in targets:
            link = links.get(target) or self._link((source, target))
            for delay in arrivals(link, size_bytes, 0):
                yield target, now + delay

    def gossip(self, source: int, targets: Iterable[int], parcel: Parcel) -> None:
        """Sends to all of these nodes that some chain of links leads to."""
        if self._cuts:
            self._go_around(source, targets, parcel)
            return
        event, deliver, at = parcel.make(source), self._deliver, self._engine.at
        others = [target for target in targets if target != source]
        for target, time in self.spread(source, others, parcel.size_bytes):
            at(time, partial(deliver, target, event))

    def _go_around(self, source: int, targets: Iterable[int], parcel: Parcel) -> None:
        """Sends around what is cut, over as few links as that takes."""
        routes = routes_from(source, self._count, self._cuts, self._conditions.base_ns)
        for target in targets:
            if target == source:
                continue
            if target not in routes:
                self._link((source, target)).traffic.cut += 1
            else:
                route = routes[target]
                self._link((source, target)).traffic.cut += route.hops > 1
                law = self._conditions.delay
                stream = self._senders[source].delay
                waited = route.base_ns + sum(law.draw(stream) for _ in range(route.hops - 1))
                self._carry((route.relay, target), parcel, waited)

    def _carry(self, pair: Pair, parcel: Parcel, waited: int) -> None:
        source, target = pair
        link = self._link(pair)
        if waited and link.queues and pair not in self._cuts:  # it is at the relay only then
            self._engine.after(waited, partial(self._carry, pair, parcel, 0))
            return
        delays = self._arrivals(link, parcel.size_bytes, waited)
        if not delays:
            return
        event = parcel.make(source)
        for delay in delays:
            self._engine.after(delay, partial(self._deliver, target, event))

    def _arrivals(self, link: _Link, size_bytes: int, waited: int) -> tuple[int, ...]:
        """Puts a message on a link; returns how long each copy of it takes, if any arrives."""
        traffic, sender = link.traffic, link.sender
        if self._cuts and link.pair in self._cuts:
            traffic.cut += 1
            return ()
        if link.queues:
            sent = self._transmit(link, size_bytes)
            if sent is None:
                return ()
            waited = sent
        traffic.messages += 1
        traffic.size_bytes += size_bytes
        loss_ppm = self.loss_ppm + link.loss_ppm
        if loss_ppm and sender.loss.hits(loss_ppm):
            traffic.lost += 1
            return ()
        law = link.law
        waited += link.extra_ns
        delay = waited + law.draw(sender.delay)
        if self.reorders or link.held_until:
            delay = self._hold_back(link, sender, delay)
        copies = self.duplicate_ppm
        if copies and sender.duplicate.hits(copies):
            traffic.duplicated += 1
            return delay, waited + 2 * law.draw(sender.duplicate)
        return (delay,)

    def _transmit(self, link: _Link, size_bytes: int) -> int | None:
        """Passes a message through the queues; returns how long that takes, None when dropped."""
        now = ready = self._engine.now
        for queue in link.queues:
            sent = queue.take(ready, size_bytes)
            if sent is None:
                link.traffic.messages += 1
                link.traffic.size_bytes += size_bytes
                link.traffic.queued_drop += 1
                return None
            ready = sent
        return ready - now

    def _hold_back(self, link: _Link, sender: _Sender, delay: int) -> int:
        for ppm, longest_ns in self.reorders:
            if sender.reorder.hits(ppm):
                link.traffic.reordered += 1
                delay += sender.reorder.between(1, longest_ns)
        rest = link.held_until - self._engine.now
        if rest > delay:
            link.traffic.held += 1
            return rest
        return delay

    def _link(self, pair: Pair) -> _Link:
        link = self._links.get(pair)
        if link is None:
            conditions = self._conditions
            sender = self._senders[pair[0]]
            queues = (sender.uplink, _queue(self._narrow.get(pair)))
            link = self._links[pair] = self._links_of[pair[0]][pair[1]] = _Link(
                pair,
                sender,
                self._slow.get(pair, conditions.delay),
                conditions.base_ns(pair),
                self._lossy.get(pair, 0),
                [queue for queue in queues if queue is not None],
            )
        return link


def _queue(capacity: Capacity | None) -> Queue | None:
    return None if capacity is None else Queue(capacity)
