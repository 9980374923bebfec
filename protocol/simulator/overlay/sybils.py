"""Many false nodes of one adversary: they graft everybody, answer control and pass nothing on.

They behave as the adversary with which GossipSub 1.1 was attacked (`test/badboy.go` in
github.com/libp2p/gossipsub-hardening): each grafts whoever it is linked to, grafts again a while
after it was pruned, and until the attack begins it passes messages on like everybody else.
"""

from functools import partial
from typing import Final

from protocol.simulator.chance import Stream
from protocol.simulator.engine import Engine
from protocol.simulator.overlay.message import Carrier, Control, Message, Router
from protocol.units import SECOND

REGRAFT_NS: Final = 60 * SECOND
"""Wait before grafting again: as long as an honest node's backoff, to escape its penalty."""
REGRAFT_SPREAD_NS: Final = 15 * SECOND


class Infiltrated:
    """A router of which the nodes from some number on are false.

    Args:
        engine: Virtual time.
        carrier: Takes control and messages to neighbours.
        honest: The router of the honest nodes.
        first: Number of the first false node; all later ones are false, too.
        stream: Of their draws.

    Attributes:
        is_attacking: Whether the false nodes pass nothing on now.
        swallowed: Copies that they took and did not pass on.
    """

    def __init__(
        self, engine: Engine, carrier: Carrier, honest: Router, first: int, stream: Stream
    ) -> None:
        self._engine = engine
        self._carrier = carrier
        self._honest = honest
        self._first = first
        self._stream = stream
        self._meshes: dict[int, dict[int, None]] = {}
        self.is_attacking = True
        self.swallowed = 0

    def link(self, node: int, peer: int) -> None:
        """Makes a peer a neighbour; a false node grafts it at once."""
        if node < self._first:
            self._honest.link(node, peer)
        else:
            self._meshes.setdefault(node, {})
            self._engine.after(0, partial(self._graft, node, peer))

    def unlink(self, node: int, peer: int) -> None:
        """Takes a neighbour away from a node."""
        if node < self._first:
            self._honest.unlink(node, peer)
        else:
            self._meshes[node].pop(peer, None)

    def publish(self, node: int, message: Message) -> None:
        """Spreads an honest node's own message."""
        self._honest.publish(node, message)

    def arrive(self, node: int, source: int, message: Message) -> bool:
        """Takes a copy; tells whether it is the first."""
        if node < self._first:
            return self._honest.arrive(node, source, message)
        if message.seen[node]:
            return False
        message.seen[node] = 1
        if self.is_attacking:
            self.swallowed += 1
        else:
            self._carrier.spread(message, node, tuple(self._meshes[node]), source)
        return True

    def hear(self, node: int, source: int, control: Control, named: tuple[Message, ...]) -> None:
        """Answers control, as far as it helps to stay in meshes."""
        if node < self._first:
            self._honest.hear(node, source, control, named)
        elif control is Control.GRAFT:
            self._meshes[node][source] = None
        elif control is Control.PRUNE:
            self._meshes[node].pop(source, None)
            wait = REGRAFT_NS + self._stream.below(REGRAFT_SPREAD_NS)
            self._engine.after(wait, partial(self._graft, node, source))

    def _graft(self, node: int, peer: int) -> None:
        self._meshes[node][peer] = None
        self._carrier.tell(node, peer, Control.GRAFT)
