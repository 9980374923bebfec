"""Links that carry copies between the nodes of an overlay: delay and loss, and nothing else.

A copy that is known on sending to come too late to matter is counted as useless at once and does
not pass through virtual time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from struct import Struct
from typing import Final

from protocol.simulator.chance import MILLION, Stream
from protocol.simulator.engine import Engine
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.overlay.message import Control, Message, Router, Tally
from protocol.simulator.overlay.scoring import ScoreBook
from protocol.simulator.overlay.topology import Topology

BATCH: Final = 64
"""Draws made at once; few, since every sending node has some in stock."""
WORD_BITS: Final = 32
_WORDS: Final = Struct(f"<{BATCH}I")
_ALL_WORDS: Final = 1 << (BATCH * WORD_BITS)

NO_DELAY: Final = Delay(Law.CONSTANT, 0, 0)


@dataclass(frozen=True, slots=True)
class WireConditions:
    """What the links of an overlay are like.

    Attributes:
        message: Delay and loss drawn for each message; its other fields are not used here.
        distance: Delay drawn once for each link, the same in both directions.
        jitter_ppm: Of the distance, the largest share that a message takes longer.
    """

    message: Conditions = Conditions(NO_DELAY)  # noqa: RUF009  a frozen value
    distance: Delay = NO_DELAY
    jitter_ppm: int = 0


class Draws:
    """A node's draws of delays and other words, many at once."""

    __slots__ = ("_delay", "_delays", "_stream", "_words")

    def __init__(self, delay: Delay, stream: Stream) -> None:
        self._delay = delay
        self._stream = stream
        self._delays: list[int] = []
        self._words: list[int] = []

    def delay(self) -> int:
        """Draws one message's delay."""
        if not self._delays:
            self._delays = self._more()
        return self._delays.pop()

    def below(self, bound: int) -> int:
        """Draws from 0 to `bound - 1`; rounds down, and so is uneven by a part in 2^32."""
        if not self._words:
            self._words = self._more_words()
        return self._words.pop() * bound >> WORD_BITS

    def _more(self) -> list[int]:
        law, low = self._delay.law, self._delay.low_ns
        if law is Law.CONSTANT:
            return [low] * BATCH
        if law is Law.UNIFORM:
            span = self._delay.high_ns - low + 1
            return [low + (word * span >> WORD_BITS) for word in self._more_words()]
        return [self._delay.draw(self._stream) for _ in range(BATCH)]

    def _more_words(self) -> list[int]:
        number = self._stream.below(_ALL_WORDS)
        return list(_WORDS.unpack(number.to_bytes(_WORDS.size, "little")))


class Wires:
    """Carries copies and control over the links of a topology.

    Args:
        engine: Virtual time.
        topology: Who is linked to whom; a link that is not part of it has no distance.
        conditions: What the links are like.
        seed: Of all draws.
        tally: Where what is sent is counted.

    Attributes:
        router: Gets what arrives; has to be set before anything is sent.
        book: Judges neighbours; those that a node ignores are not heard by it, and it sees copies
            that come so soon after the first that they count.
    """

    router: Router

    def __init__(
        self,
        engine: Engine,
        topology: Topology,
        conditions: WireConditions,
        seed: int,
        tally: Tally,
    ) -> None:
        self._engine = engine
        self._jitter_ppm = conditions.jitter_ppm
        self._loss_ppm = conditions.message.loss_ppm
        self._tally = tally
        self._delay = conditions.message.delay
        self._seed = seed
        self._draws: list[Draws | None] = [None] * topology.count
        self._distances: list[dict[int, int]] = [{} for _ in range(topology.count)]
        self.book: ScoreBook | None = None
        if conditions.distance != NO_DELAY:
            stream = Stream(seed, "distance")
            for node, peer in topology.pairs:
                distance = conditions.distance.draw(stream)
                self._distances[node][peer] = self._distances[peer][node] = distance

    def spread(self, message: Message, source: int, targets: Sequence[int], relay: int) -> None:
        """Sends a copy to each target but the relay it came from and its origin."""
        engine, origin, arrivals = self._engine, message.origin, message.arrivals
        draws, distances, now = self._of(source), self._distances[source], engine.now
        jitter, loss = self._jitter_ppm, self._loss_ppm
        delay, arrive = draws.delay, self._arrive
        ignored, window_ns = None, 0
        if self.book is not None:
            ignored, window_ns = self.book.ignored, self.book.parameters.mesh_window_ns
        copies = late = 0
        for target in targets:
            if target in (relay, origin):
                continue
            if loss and draws.below(MILLION) < loss:
                continue
            copies += 1
            time = now + delay()
            if distances:
                distance = distances[target]
                time += distance
                if jitter:
                    time += draws.below(distance * jitter // MILLION + 1)
            if ignored is not None and source in ignored[target]:
                late += 1
                continue
            if time < arrivals[target]:
                arrivals[target] = time
            elif time > arrivals[target] + window_ns or not window_ns:
                late += 1
                continue
            engine.at(time, partial(arrive, target, source, message))
        message.copies += copies
        self._tally.copies += copies
        self._tally.useless += late

    def tell(
        self, source: int, target: int, control: Control, named: tuple[Message, ...] = ()
    ) -> None:
        """Sends control; it is lost as messages are."""
        draws = self._of(source)
        if self._loss_ppm and draws.below(MILLION) < self._loss_ppm:
            return
        self._tally.controls[control] += 1
        delay = draws.delay() + self._distances[source].get(target, 0)
        self._engine.after(delay, partial(self._hear, target, source, control, named))

    def _of(self, node: int) -> Draws:
        draws = self._draws[node]
        if draws is None:
            stream = Stream(self._seed, "wires", node)
            draws = self._draws[node] = Draws(self._delay, stream)
        return draws

    def _arrive(self, target: int, source: int, message: Message) -> None:
        if self.router.arrive(target, source, message):
            self._tally.delivered += 1
        else:
            self._tally.useless += 1

    def _hear(self, target: int, source: int, control: Control, named: tuple[Message, ...]) -> None:
        self.router.hear(target, source, control, named)
