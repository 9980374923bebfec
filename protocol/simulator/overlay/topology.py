"""Who is linked to whom: graphs drawn from a stream, with a bounded number of links per node."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.simulator.chance import Stream
from protocol.simulator.network import Pair

DIALS_MAX: Final = 50
"""Draws of a peer after which a node stops looking for one that has room."""

UNLIMITED: Final = 1 << 62
"""No bound on the links that a node accepts."""


@dataclass(frozen=True, slots=True)
class Topology:
    """An undirected graph of links, and who began each.

    Attributes:
        links: The neighbours of each node.
        dialled: Those of them that the node dialled itself, by number of node.
    """

    links: tuple[Sequence[int], ...]
    dialled: tuple[frozenset[int], ...]

    @property
    def count(self) -> int:
        """Number of nodes."""
        return len(self.links)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every link once, the lower number first."""
        return tuple(
            (node, peer) for node, peers in enumerate(self.links) for peer in peers if node < peer
        )


class _Draft:
    """A graph in the making."""

    def __init__(self, count: int) -> None:
        self.links: list[dict[int, None]] = [{} for _ in range(count)]
        self.dialled: list[list[int]] = [[] for _ in range(count)]

    def join(self, node: int, peer: int) -> None:
        self.links[node][peer] = None
        self.links[peer][node] = None
        self.dialled[node].append(peer)

    def accepted(self, node: int) -> int:
        return len(self.links[node]) - len(self.dialled[node])

    def reached(self) -> list[bool]:
        """Tells which nodes some chain of links joins to the first."""
        found = [False] * len(self.links)
        found[0] = True
        queue = [0]
        while queue:
            for peer in self.links[queue.pop()]:
                if not found[peer]:
                    found[peer] = True
                    queue.append(peer)
        return found

    def done(self) -> Topology:
        return Topology(
            tuple(tuple(sorted(links)) for links in self.links),
            tuple(frozenset(dialled) for dialled in self.dialled),
        )


def draw_topology(count: int, dials: int, accepts: int, stream: Stream) -> Topology:
    """Draws a graph: each node dials peers at random, and none accepts more than it has room for.

    Parts that no link joins are joined, since discovery goes on until it finds everybody.

    Args:
        count: Number of nodes.
        dials: Links that each node begins.
        accepts: Links that each node accepts besides.
        stream: Of the draws.
    """
    draft = _Draft(count)
    for _ in range(min(dials, count - 1)):
        for node in range(count):
            peer = _with_room(draft, node, accepts, stream)
            if peer is not None:
                draft.join(node, peer)
    while not all(found := draft.reached()):
        lost = found.index(False)
        draft.join(lost, stream.pick([node for node, is_near in enumerate(found) if is_near]))
    return draft.done()


def everybody(count: int) -> Topology:
    """Links every node to all others, without a list of them; each also counts as its own peer."""
    nodes: Sequence[int] = range(count)
    return Topology((nodes,) * count, (frozenset(),) * count)


def with_strangers(
    topology: Topology, strangers: int, dials: int, targets: Sequence[int], stream: Stream
) -> Topology:
    """Adds nodes that dial some of the targets each, whatever room these have."""
    draft = _Draft(topology.count + strangers)
    for node, peers in enumerate(topology.dialled):
        for peer in sorted(peers):
            draft.join(node, peer)
    for stranger in range(topology.count, topology.count + strangers):
        for target in stream.shuffled(targets)[:dials]:
            draft.join(stranger, target)
    return draft.done()


def _with_room(draft: _Draft, node: int, accepts: int, stream: Stream) -> int | None:
    for _ in range(DIALS_MAX):
        peer = stream.below(len(draft.links))
        if peer != node and peer not in draft.links[node] and draft.accepted(peer) < accepts:
            return peer
    return None
