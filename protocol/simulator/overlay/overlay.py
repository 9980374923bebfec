"""An overlay on its own: topology, links and routers, held together by virtual time."""

from protocol.simulator.chance import Stream
from protocol.simulator.engine import Engine
from protocol.simulator.overlay.gossipsub import MeshRouter
from protocol.simulator.overlay.message import Message, Router, Tally, new_message
from protocol.simulator.overlay.parameters import OverlayParameters, Strategy
from protocol.simulator.overlay.scoring import ScoreBook
from protocol.simulator.overlay.spreading import Flooding, InfectAndDie, Rumours
from protocol.simulator.overlay.sybils import Infiltrated
from protocol.simulator.overlay.topology import Topology
from protocol.simulator.overlay.wires import WireConditions, Wires


class Overlay:
    """A network of nodes that do nothing but gossip.

    Args:
        engine: Virtual time.
        topology: Who is linked to whom.
        parameters: How messages spread.
        conditions: What the links are like.
        seed: Of all draws.
        honest: Number of honest nodes; those after them are one adversary's, and have no links
            before `let_in`. None: all are honest.

    Attributes:
        tally: What was sent.
        messages: Everything published, by number.
        mesh: The routers of the honest nodes, when they keep a mesh.
        rumours: The rounds, when the nodes push.
        sybils: The adversary, if there is one.
    """

    def __init__(
        self,
        engine: Engine,
        topology: Topology,
        parameters: OverlayParameters,
        conditions: WireConditions,
        seed: int,
        honest: int | None = None,
    ) -> None:
        self._engine = engine
        self._count = topology.count
        self.tally = Tally()
        self.messages: list[Message] = []
        self.mesh: MeshRouter | None = None
        self.rumours: Rumours | None = None
        self.sybils: Infiltrated | None = None
        self._wires = Wires(engine, topology, conditions, seed, self.tally)
        self._honest = topology.count if honest is None else honest
        self._router = self._wires.router = self._routed(topology, parameters, seed)
        self._topology = topology
        if parameters.strategy in (Strategy.FLOOD, Strategy.GOSSIPSUB):
            self._link(is_false=False)

    def publish(self, node: int, *, invalid: bool = False) -> Message:
        """Publishes a message, now."""
        message = new_message(len(self.messages), node, self._engine.now, self._count)
        message.invalid = invalid
        self.messages.append(message)
        self.tally.published += 1
        self._router.publish(node, message)
        return message

    def let_in(self) -> None:
        """Makes the links of the adversary's nodes."""
        self._link(is_false=True)

    def _link(self, *, is_false: bool) -> None:
        for node, peer in self._topology.pairs:
            if (peer >= self._honest) == is_false:
                self._router.link(node, peer)
                self._router.link(peer, node)

    def _routed(self, topology: Topology, parameters: OverlayParameters, seed: int) -> Router:
        engine, wires = self._engine, self._wires
        match parameters.strategy:
            case Strategy.FLOOD:
                return Flooding(wires, topology.count)
            case Strategy.INFECT_AND_DIE:
                stream = Stream(seed, "infections")
                return InfectAndDie(wires, topology.links, parameters.fan_out, stream)
            case Strategy.PUSH:
                stream, links = Stream(seed, "rumours"), topology.links
                self.rumours = Rumours(engine, wires, links, parameters.round_ns, stream)
                return self.rumours
            case Strategy.GOSSIPSUB:
                return self._meshed(topology, parameters, seed)

    def _meshed(self, topology: Topology, parameters: OverlayParameters, seed: int) -> Router:
        scores, book = parameters.mesh.scores, None
        if scores is not None:
            own = range(self._honest)
            book = ScoreBook(scores, (*own, *(self._honest,) * (topology.count - self._honest)))
            self._wires.book = book
        self.mesh = MeshRouter(
            self._engine, self._wires, parameters.mesh, topology.dialled, seed, book
        )
        for node in range(self._honest):
            self.mesh.start(node)
        if self._honest == topology.count:
            return self.mesh
        stream = Stream(seed, "sybils")
        self.sybils = Infiltrated(self._engine, self._wires, self.mesh, self._honest, stream)
        return self.sybils
