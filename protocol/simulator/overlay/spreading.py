"""The simple strategies: flooding, pushing rumours, and infecting once and then dying."""

from collections.abc import Sequence
from functools import partial

from protocol.simulator.chance import Stream
from protocol.simulator.engine import Engine
from protocol.simulator.overlay.message import Carrier, Control, Message


class Flooding:
    """Passes each message on to every neighbour when it is new; says nothing else."""

    def __init__(self, carrier: Carrier, count: int) -> None:
        self._carrier = carrier
        self._links: list[dict[int, None]] = [{} for _ in range(count)]

    def link(self, node: int, peer: int) -> None:
        """Makes a peer a neighbour of a node."""
        self._links[node][peer] = None

    def unlink(self, node: int, peer: int) -> None:
        """Takes a neighbour away from a node."""
        self._links[node].pop(peer, None)

    def publish(self, node: int, message: Message) -> None:
        """Sends to every neighbour."""
        self._carrier.spread(message, node, tuple(self._links[node]), node)

    def arrive(self, node: int, source: int, message: Message) -> bool:
        """Passes a new message on; tells whether it is new."""
        if message.seen[node]:
            return False
        message.seen[node] = 1
        if not message.invalid:
            self._carrier.spread(message, node, tuple(self._links[node]), source)
        return True

    def hear(self, node: int, source: int, control: Control, named: tuple[Message, ...]) -> None:
        """Ignores control, as our node does."""


class InfectAndDie:
    """Tells so many neighbours drawn at random when a message is new, and nobody ever again."""

    def __init__(
        self, carrier: Carrier, links: Sequence[Sequence[int]], fan_out: int, stream: Stream
    ) -> None:
        self._carrier = carrier
        self._links = links
        self._fan_out = fan_out
        self._stream = stream

    def publish(self, node: int, message: Message) -> None:
        """Tells some neighbours."""
        links, chosen = self._links[node], dict[int, None]()
        while len(chosen) < min(self._fan_out, len(links) - 1):
            peer = self._stream.pick(links)
            if peer != node:
                chosen[peer] = None
        # The relay may be drawn as well as others; telling it, or the origin, is in vain.
        self._carrier.spread(message, node, tuple(chosen), -1)

    def arrive(self, node: int, source: int, message: Message) -> bool:
        """Tells some neighbours of a new message; tells whether it is new."""
        if message.seen[node]:
            return False
        message.seen[node] = 1
        self.publish(node, message)
        return True

    def hear(self, node: int, source: int, control: Control, named: tuple[Message, ...]) -> None:
        """Nothing is said."""

    def link(self, node: int, peer: int) -> None:
        """Links are fixed."""

    def unlink(self, node: int, peer: int) -> None:
        """Links are fixed."""


class Rumours:
    """Each round, every node that knows a message tells it to one neighbour drawn at random.

    One message at a time: publishing another ends the rounds of the last.

    Attributes:
        rounds: Rounds begun since the last message was published.
    """

    def __init__(
        self,
        engine: Engine,
        carrier: Carrier,
        links: Sequence[Sequence[int]],
        round_ns: int,
        stream: Stream,
    ) -> None:
        self._engine = engine
        self._carrier = carrier
        self._links = links
        self._round_ns = round_ns
        self._stream = stream
        self._knowing: list[int] = []
        self.rounds = 0

    def publish(self, node: int, message: Message) -> None:
        """Begins rounds that go on until everybody knows the message."""
        self.rounds = 0
        self._knowing = [node]
        self._round(message)

    def arrive(self, node: int, source: int, message: Message) -> bool:
        """Makes a node know a message from the next round on; tells whether it is new."""
        if message.seen[node]:
            return False
        message.seen[node] = 1
        self._knowing.append(node)
        return True

    def hear(self, node: int, source: int, control: Control, named: tuple[Message, ...]) -> None:
        """Nothing is said."""

    def link(self, node: int, peer: int) -> None:
        """Links are fixed."""

    def unlink(self, node: int, peer: int) -> None:
        """Links are fixed."""

    def _round(self, message: Message) -> None:
        if len(self._knowing) == len(message.seen):
            return
        self.rounds += 1
        spread, pick = self._carrier.spread, self._stream.pick
        for node in tuple(self._knowing):
            spread(message, node, (pick(self._links[node]),), -1)
        self._engine.after(self._round_ns, partial(self._round, message))
