"""Which nodes count as neighbours: connections break some time after a cut and return after it.

A core learns of it through `PeerJoined` and `PeerLeft`, late as in the real network: a cut shows
only when pings stay out, a crash at once, and a redial takes its time.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from protocol.simulator.engine import Engine
from protocol.units import MILLISECOND, SECOND

SILENCE_NS: Final = 6 * SECOND
"""Time from a cut until pings have stayed out often enough."""
RESET_NS: Final = 20 * MILLISECOND
"""Time until a live node notices that its peer has crashed."""
REDIAL_NS: Final = 300 * MILLISECOND
"""Time from when a connection is possible again until it stands."""

Wanted = Callable[[int, int], bool]
Notify = Callable[[int, int, bool], None]


class Connections:
    """The undirected connections between all nodes.

    Args:
        engine: Virtual time.
        count: Number of nodes.
        wanted: Whether two nodes can talk in both directions now.
        notify: Called with a node, its peer, and whether the peer joined or left.
        pairs: Who may be connected at all, the lower number first; None connects everybody.
    """

    def __init__(
        self,
        engine: Engine,
        count: int,
        wanted: Wanted,
        notify: Notify,
        pairs: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        self._engine = engine
        if pairs is None:
            pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
        self._pairs = pairs
        self._pairs_of: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        for pair in pairs:
            self._pairs_of[pair[0]].append(pair)
            self._pairs_of[pair[1]].append(pair)
        self._wanted = wanted
        self._notify = notify
        self._standing: dict[tuple[int, int], None] = {}

    def review(self, node: int | None = None) -> None:
        """Plans what follows from a change of links, or of one node alone."""
        for pair in self._pairs if node is None else self._pairs_of[node]:
            if self._wanted(*pair) == (pair in self._standing):
                continue
            delay = SILENCE_NS if pair in self._standing else REDIAL_NS
            self._engine.after(delay, partial(self._settle, pair))

    def reset(self, node: int) -> None:
        """Drops a crashed node's connections; the live sides notice soon."""
        for pair in self._pairs_of[node]:
            if pair in self._standing:
                del self._standing[pair]
                other = pair[0] if pair[1] == node else pair[1]
                self._engine.after(RESET_NS, partial(self._notify, other, node, False))

    def _settle(self, pair: tuple[int, int]) -> None:
        wanted = self._wanted(*pair)
        if wanted == (pair in self._standing):
            return
        if wanted:
            self._standing[pair] = None
        else:
            del self._standing[pair]
        first, second = pair
        self._notify(first, second, wanted)
        self._notify(second, first, wanted)
