"""GossipSub: a mesh that carries messages at once, and names of messages told to others.

Follows the published specification of version 1.1; its parameters turn it into version 1.0. Scores
are those of a node's last heartbeat.
"""

from collections.abc import Sequence
from functools import partial

from protocol.simulator.chance import MILLION, Stream
from protocol.simulator.engine import Engine
from protocol.simulator.overlay.message import Carrier, Control, Message
from protocol.simulator.overlay.parameters import MeshParameters
from protocol.simulator.overlay.scoring import ScoreBook

OPPORTUNISTIC_GRAFTS = 2
"""Neighbours that a mesh whose median is poor takes in at once."""


class MeshRouter:
    """The routers of all nodes.

    Args:
        engine: Virtual time.
        carrier: Takes messages to neighbours.
        parameters: How the mesh is kept.
        dialled: For each node the neighbours that it dialled itself.
        seed: Of all draws.
        book: Judges neighbours; None judges nobody.
    """

    def __init__(
        self,
        engine: Engine,
        carrier: Carrier,
        parameters: MeshParameters,
        dialled: Sequence[frozenset[int]],
        seed: int,
        book: ScoreBook | None,
    ) -> None:
        count = len(dialled)
        self._engine = engine
        self._carrier = carrier
        self._parameters = parameters
        self._dialled = dialled
        self._book = book
        self._links: list[dict[int, None]] = [{} for _ in range(count)]
        self._meshes: list[dict[int, None]] = [{} for _ in range(count)]
        self._backoffs: list[dict[int, int]] = [{} for _ in range(count)]
        self._recent: list[list[list[Message]]] = [[[]] for _ in range(count)]
        self._beats = [0] * count
        self._streams = [Stream(seed, "mesh", node) for node in range(count)]

    def start(self, node: int) -> None:
        """Begins a node's heartbeats, at a time of its own."""
        beat = self._parameters.heartbeat_ns
        self._engine.after(self._streams[node].below(beat), partial(self._beat, node))

    def mesh(self, node: int) -> tuple[int, ...]:
        """The neighbours in a node's mesh."""
        return tuple(self._meshes[node])

    def link(self, node: int, peer: int) -> None:
        """Makes a peer a neighbour of a node."""
        self._links[node][peer] = None
        if self._book is not None:
            self._book.link(node, peer)

    def unlink(self, node: int, peer: int) -> None:
        """Takes a neighbour away from a node."""
        if peer not in self._links[node]:
            return
        del self._links[node][peer]
        self._leave(node, peer)
        if self._book is not None:
            self._book.unlink(node, peer)

    def publish(self, node: int, message: Message) -> None:
        """Sends to the mesh, or to every neighbour that is not despised."""
        self._recent[node][0].append(message)
        targets = tuple(self._meshes[node])
        if self._parameters.floods_own:
            book = self._book
            targets = tuple(
                peer
                for peer in self._links[node]
                if book is None or not book.is_below(node, peer, book.parameters.publish_threshold)
            )
        self._carrier.spread(message, node, targets, node)

    def arrive(self, node: int, source: int, message: Message) -> bool:
        """Passes a new message on to the mesh; tells whether it is new."""
        book = self._book
        if book is not None:
            if source in book.ignored[node]:
                return False
            self._judge(book, node, source, message)
        if message.seen[node]:
            return False
        message.seen[node] = 1
        if not message.invalid:
            self._recent[node][0].append(message)
            self._carrier.spread(message, node, tuple(self._meshes[node]), source)
        return True

    def hear(self, node: int, source: int, control: Control, named: tuple[Message, ...]) -> None:
        """Answers a neighbour's control."""
        if source not in self._links[node]:
            return
        book = self._book
        if book is not None:
            if source in book.ignored[node]:
                return
            is_gossip = control in (Control.IHAVE, Control.IWANT)
            if is_gossip and book.is_below(node, source, book.parameters.gossip_threshold):
                return
        match control:
            case Control.GRAFT:
                self._hear_graft(node, source)
            case Control.PRUNE:
                self._back_off(node, source)
                self._leave(node, source)
            case Control.IHAVE:
                wanted = tuple(message for message in named if not message.seen[node])
                if wanted:
                    self._carrier.tell(node, source, Control.IWANT, wanted)
            case Control.IWANT:
                self._hand_out(node, source, named)

    def _judge(self, book: ScoreBook, node: int, source: int, message: Message) -> None:
        """Credits or blames whoever brought a copy."""
        if message.invalid:
            book.blame_invalid(node, source)
        elif not message.seen[node]:
            book.deliver(node, source, is_first=True)
        elif source in self._meshes[node]:
            late_ns = self._engine.now - message.arrivals[node]
            if late_ns <= book.parameters.mesh_window_ns:
                book.deliver(node, source, is_first=False)

    def _hear_graft(self, node: int, source: int) -> None:
        """Takes a neighbour into the mesh, or says no."""
        mesh, parameters, book = self._meshes[node], self._parameters, self._book
        if source in mesh:
            return
        is_early = self._backoffs[node].get(source, 0) > self._engine.now
        if is_early and book is not None:
            book.blame_breach(node, source)
        is_full = len(mesh) >= parameters.high and source not in self._dialled[node]
        is_poor = book is not None and book.is_below(node, source, 0)
        if is_early or is_poor or (is_full and parameters.refuses_when_full):
            self._back_off(node, source)
            self._carrier.tell(node, source, Control.PRUNE)
        else:
            self._enter(node, source)

    def _hand_out(self, node: int, source: int, named: tuple[Message, ...]) -> None:
        """Sends what a neighbour asked for, as far as it is still kept."""
        kept_ns = self._parameters.history * self._parameters.heartbeat_ns
        oldest = self._engine.now - kept_ns
        for message in named:
            if message.seen[node] and message.arrivals[node] >= oldest:
                self._carrier.spread(message, node, (source,), node)

    # Heartbeat

    def _beat(self, node: int) -> None:
        scores = self._book.beat(node, self._engine.now) if self._book is not None else {}
        self._beats[node] += 1
        self._balance(node, scores)
        if self._book is not None and self._beats[node] % self._book.parameters.graft_ticks == 0:
            self._improve(node, scores, self._book.parameters.graft_threshold * MILLION)
        self._name(node, scores)
        recent = self._recent[node]
        recent.insert(0, [])
        del recent[self._parameters.window :]
        self._engine.after(self._parameters.heartbeat_ns, partial(self._beat, node))

    def _balance(self, node: int, scores: dict[int, int]) -> None:
        """Brings the mesh back to its size, without neighbours of bad repute."""
        mesh, parameters = self._meshes[node], self._parameters
        for peer in [peer for peer in mesh if scores.get(peer, 0) < 0]:
            self._prune(node, peer)
        if len(mesh) < parameters.low:
            lacking = parameters.degree - len(mesh)
            for peer in self._some(node, self._candidates(node, scores, 0), lacking):
                self._graft(node, peer)
        elif len(mesh) > parameters.high:
            self._shrink(node, scores)
        dialled = self._dialled[node]
        lacking = parameters.outward - sum(peer in dialled for peer in mesh)
        if parameters.outward and lacking > 0:
            own = [peer for peer in self._candidates(node, scores, 0) if peer in dialled]
            for peer in self._some(node, own, lacking):
                self._graft(node, peer)

    def _shrink(self, node: int, scores: dict[int, int]) -> None:
        """Keeps the best, enough that the node dialled itself, and others at random."""
        parameters, dialled = self._parameters, self._dialled[node]
        mixed = self._streams[node].shuffled(tuple(self._meshes[node]))
        mixed.sort(key=lambda peer: scores.get(peer, 0), reverse=True)
        best = mixed[: parameters.best]
        rest = self._streams[node].shuffled(mixed[parameters.best :])
        lacking = parameters.outward - sum(peer in dialled for peer in best)
        own = [peer for peer in rest if peer in dialled][: max(0, lacking)]
        others = [peer for peer in rest if peer not in own]
        for peer in (best + own + others)[parameters.degree :]:
            self._prune(node, peer)

    def _improve(self, node: int, scores: dict[int, int], threshold: int) -> None:
        """Grafts neighbours better than the median, when the median is poor."""
        ranked = sorted(scores.get(peer, 0) for peer in self._meshes[node])
        if len(ranked) < 2:
            return
        median = ranked[len(ranked) // 2]
        if median < threshold:
            better = self._candidates(node, scores, median + 1)
            for peer in self._some(node, better, OPPORTUNISTIC_GRAFTS):
                self._graft(node, peer)

    def _name(self, node: int, scores: dict[int, int]) -> None:
        """Tells some neighbours outside the mesh which messages are new."""
        named = tuple(message for window in self._recent[node] for message in window)
        if not named:
            return
        parameters, mesh, book = self._parameters, self._meshes[node], self._book
        least = book.parameters.gossip_threshold * MILLION if book is not None else 0
        others = [
            peer
            for peer in self._links[node]
            if peer not in mesh and (book is None or scores.get(peer, 0) >= least)
        ]
        wanted = max(parameters.lazy, len(others) * parameters.lazy_ppm // MILLION)
        for peer in self._some(node, others, wanted):
            self._carrier.tell(node, peer, Control.IHAVE, named)

    def _candidates(self, node: int, scores: dict[int, int], least: int) -> list[int]:
        """Neighbours outside the mesh that may be grafted."""
        mesh, backoffs, now = self._meshes[node], self._backoffs[node], self._engine.now
        return [
            peer
            for peer in self._links[node]
            if peer not in mesh and scores.get(peer, 0) >= least and backoffs.get(peer, 0) <= now
        ]

    def _some(self, node: int, items: list[int], count: int) -> list[int]:
        """Draws so many of the items, which it changes the order of."""
        below, last = self._streams[node].below, len(items)
        for place in range(min(count, last)):
            other = place + below(last - place)
            items[place], items[other] = items[other], items[place]
        return items[:count]

    def _graft(self, node: int, peer: int) -> None:
        self._enter(node, peer)
        self._carrier.tell(node, peer, Control.GRAFT)

    def _prune(self, node: int, peer: int) -> None:
        self._leave(node, peer)
        self._back_off(node, peer)
        self._carrier.tell(node, peer, Control.PRUNE)

    def _enter(self, node: int, peer: int) -> None:
        self._meshes[node][peer] = None
        if self._book is not None:
            self._book.graft(node, peer, self._engine.now)

    def _leave(self, node: int, peer: int) -> None:
        if peer in self._meshes[node]:
            del self._meshes[node][peer]
            if self._book is not None:
                self._book.prune(node, peer, self._engine.now)

    def _back_off(self, node: int, peer: int) -> None:
        if self._parameters.backoff_ns:
            self._backoffs[node][peer] = self._engine.now + self._parameters.backoff_ns
