"""An overlay inside a `World`: carries blocks and operations hop by hop between real cores.

Each hop goes over the world's own links, with their delays, losses and cuts, and only while its
connection stands. What a node has already seen it drops before its core hears of it. Nobody asks
whether a message is valid, since all that nodes gossip here is.

Six of seven copies tell their receiver nothing new, and that is known when they are sent: another
one comes before. They load the links and are counted, and pass through virtual time only where
nodes judge each other by what they bring. A node that crashes loses all copies on their way to it
but the first, as it loses its connections.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from protocol import events as ev
from protocol.errors import Misuse
from protocol.simulator.chance import Stream
from protocol.simulator.engine import Engine
from protocol.simulator.network import Network, Parcel
from protocol.simulator.node import Node
from protocol.simulator.overlay.gossipsub import MeshRouter
from protocol.simulator.overlay.message import (
    NEVER,
    Control,
    Message,
    Router,
    Tally,
    new_message,
)
from protocol.simulator.overlay.parameters import OverlayParameters, Strategy
from protocol.simulator.overlay.scoring import ScoreBook
from protocol.simulator.overlay.spreading import Flooding, InfectAndDie
from protocol.simulator.overlay.topology import Topology, draw_topology
from protocol.units import MILLISECOND, SECOND, AccountId

MEMORY_NS: Final = 120 * SECOND
"""How long a message counts as seen, as in the real node."""

PATIENCE_NS: Final = 100 * MILLISECOND
"""How often a copy that reached a paused node is offered to it again."""

CONTROL_BYTES: Final = 64
"""Size of a control message without names, and of each name, on the wire."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What an overlay needs of its world.

    Attributes:
        engine: Virtual time.
        network: The links.
        accounts: Of each node.
        node: Finds a node by its number.
    """

    engine: Engine
    network: Network
    accounts: Sequence[AccountId]
    node: Callable[[int], Node]


class Relay:
    """The gossip of all nodes of a world.

    Args:
        parameters: How messages spread.
        ground: The world around.
        seed: Of all draws.

    Attributes:
        topology: Who is linked to whom.
        tally: What was sent.
    """

    def __init__(self, parameters: OverlayParameters, ground: Ground, seed: int) -> None:
        count = len(ground.accounts)
        stream = Stream(seed, "topology")
        self.topology: Topology = draw_topology(count, parameters.dials, parameters.accepts, stream)
        self.tally = Tally()
        self._ground = ground
        self._numbers: Mapping[AccountId, int] = {
            account: number for number, account in reversed(list(enumerate(ground.accounts)))
        }
        self._messages: deque[Message] = deque()
        self._parcels: dict[int, Parcel] = {}
        self._controls: dict[bytes, tuple[Control, tuple[Message, ...]]] = {}
        self._spoken = 0
        self._book: ScoreBook | None = None
        self._router = self._make_router(parameters, seed)

    def gossip(self, source: int, targets: Iterable[int], parcel: Parcel) -> None:
        """Publishes an event; a node that shows it to some only, shows it to these."""
        message = self._remember(source, parcel)
        chosen = tuple(targets)
        if len(chosen) >= self.topology.count:
            self._router.publish(source, message)
        else:
            near = tuple(peer for peer in self.topology.links[source] if peer in chosen)
            self.spread(message, source, near or chosen, source)

    def takes(self, target: int, event: ev.Event) -> bool:
        """Handles what one node sent to another, if it is control; tells whether it is."""
        if not isinstance(event, ev.MessageReceived):
            return False
        control = self._controls.pop(event.raw, None)
        if control is not None and self._ground.node(target).core is not None:
            self._router.hear(target, self._numbers[event.peer], *control)
        return control is not None

    def connect(self, node: int, peer: int, *, stands: bool) -> None:
        """Notes that a connection stands or has gone, as one of its ends sees it."""
        if stands:
            self._router.link(node, peer)
        else:
            self._router.unlink(node, peer)

    def forget(self, node: int) -> None:
        """Takes a crashed node's memory of neighbours and messages, except of its own."""
        for peer in self.topology.links[node]:
            self._router.unlink(node, peer)
        for message in self._messages:
            if message.origin != node:
                message.seen[node] = 0
                message.arrivals[node] = NEVER

    # The router's carrier

    def spread(self, message: Message, source: int, targets: Sequence[int], relay: int) -> None:
        """Sends a copy to each target but the relay it came from and its origin."""
        parcel = self._parcels.get(message.number)
        if parcel is None:
            return  # forgotten since
        origin, arrivals, arrive = message.origin, message.arrivals, self._arrive
        told = [target for target in targets if target not in (relay, origin)]
        message.copies += len(told)
        self.tally.copies += len(told)
        event, plan, is_judged = parcel.make(source), self._ground.engine.at, self._book is not None
        for target, time in self._ground.network.spread(source, told, parcel.size_bytes):
            if time < arrivals[target]:
                arrivals[target] = time
            elif not is_judged:
                self.tally.useless += 1
                continue
            plan(time, partial(arrive, target, source, event, message))

    def tell(
        self, source: int, target: int, control: Control, named: tuple[Message, ...] = ()
    ) -> None:
        """Sends control."""
        self.tally.controls[control] += 1
        parcel = Parcel(partial(self._say, control, named), CONTROL_BYTES * (1 + len(named)))
        self._ground.network.send(source, target, parcel)

    def _make_router(self, parameters: OverlayParameters, seed: int) -> Router:
        topology, engine = self.topology, self._ground.engine
        match parameters.strategy:
            case Strategy.FLOOD:
                return Flooding(self, topology.count)
            case Strategy.INFECT_AND_DIE:
                stream = Stream(seed, "infections")
                return InfectAndDie(self, topology.links, parameters.fan_out, stream)
            case Strategy.GOSSIPSUB:
                if parameters.mesh.scores is not None:
                    self._book = ScoreBook(parameters.mesh.scores, tuple(range(topology.count)))
                mesh = MeshRouter(engine, self, parameters.mesh, topology.dialled, seed, self._book)
                for node in range(topology.count):
                    mesh.start(node)
                return mesh
            case Strategy.PUSH:
                raise Misuse("rumours are pushed one at a time, so they carry no ledger")

    def _remember(self, source: int, parcel: Parcel) -> Message:
        now = self._ground.engine.now
        while self._messages and self._messages[0].born_ns < now - MEMORY_NS:
            del self._parcels[self._messages.popleft().number]
        message = new_message(self.tally.published, source, now, self.topology.count)
        self.tally.published += 1
        self._parcels[message.number] = parcel
        self._messages.append(message)
        return message

    def _arrive(self, target: int, source: int, event: ev.Event, message: Message) -> None:
        node, engine = self._ground.node(target), self._ground.engine
        if node.core is None:
            if not message.seen[target]:
                message.arrivals[target] = NEVER  # so that another copy may come in time
            return
        if node.is_paused:
            engine.after(PATIENCE_NS, partial(self._arrive, target, source, event, message))
            return
        if not message.seen[target]:
            message.arrivals[target] = engine.now
        if self._router.arrive(target, source, message):
            self.tally.delivered += 1
            node.deliver(event)
        else:
            self.tally.useless += 1

    def _say(self, control: Control, named: tuple[Message, ...], relay: int) -> ev.Event:
        """Makes an event that only stands for control; it reaches no core."""
        self._spoken += 1
        raw = b"control %d" % self._spoken
        self._controls[raw] = (control, named)
        return ev.MessageReceived(self._ground.accounts[relay], raw)
