"""How a node of a mesh judges its neighbours, in millionths and integers.

The function and its counters are those of the GossipSub 1.1 specification for one topic. Divisions
round down, so a penalty is never smaller than the exact one.
"""

from dataclasses import dataclass
from typing import Final

from protocol.simulator.chance import MILLION
from protocol.simulator.overlay.parameters import ScoreParameters
from protocol.units import SECOND

DECAY_TO_ZERO: Final = MILLION // 100
"""Counters below it become nothing."""


@dataclass(slots=True)
class Standing:
    """What one node has counted of one neighbour, in millionths.

    Attributes:
        mesh_since_ns: When it came into the mesh; None while it is outside.
    """

    mesh_since_ns: int | None = None
    first: int = 0
    delivered: int = 0
    failures: int = 0
    invalid: int = 0
    breaches: int = 0


class ScoreBook:
    """All nodes' judgements of their neighbours.

    Args:
        parameters: What counts how much.
        addresses: For each node the number of its network address; nodes may share one.

    Attributes:
        ignored: For each node the neighbours whose score is below the graylist threshold.
    """

    def __init__(self, parameters: ScoreParameters, addresses: tuple[int, ...]) -> None:
        self.parameters = parameters
        self._addresses = addresses
        self._standings: list[dict[int, Standing]] = [{} for _ in addresses]
        self._sharing: list[dict[int, int]] = [{} for _ in addresses]
        self._scores: list[dict[int, int]] = [{} for _ in addresses]
        self.ignored: list[dict[int, None]] = [{} for _ in addresses]

    def link(self, node: int, peer: int) -> None:
        """Notes a new neighbour; a returning one is remembered."""
        if self.parameters.colocation_weight:
            self._of(node, peer)
        sharing, address = self._sharing[node], self._addresses[peer]
        sharing[address] = sharing.get(address, 0) + 1

    def unlink(self, node: int, peer: int) -> None:
        """Notes that a neighbour is gone."""
        self._sharing[node][self._addresses[peer]] -= 1

    def score(self, node: int, peer: int) -> int:
        """A neighbour's score as of the node's last heartbeat."""
        return self._scores[node].get(peer, 0)

    def is_below(self, node: int, peer: int, threshold: int) -> bool:
        """Whether a neighbour's score is below a threshold of whole points."""
        return self._scores[node].get(peer, 0) < threshold * MILLION

    def deliver(self, node: int, peer: int, *, is_first: bool) -> None:
        """Credits a delivery: the first of a message, or one that came soon after it."""
        standing, limits = self._of(node, peer), self.parameters
        if is_first:
            standing.first = min(standing.first + MILLION, limits.first_cap * MILLION)
        if standing.mesh_since_ns is not None:
            standing.delivered = min(standing.delivered + MILLION, limits.mesh_cap * MILLION)

    def blame_invalid(self, node: int, peer: int) -> None:
        """Notes an invalid message."""
        self._of(node, peer).invalid += MILLION

    def blame_breach(self, node: int, peer: int) -> None:
        """Notes a breach of the protocol."""
        self._of(node, peer).breaches += MILLION

    def graft(self, node: int, peer: int, now: int) -> None:
        """Notes that a neighbour came into the mesh; its deliveries count anew."""
        standing = self._of(node, peer)
        standing.mesh_since_ns, standing.delivered = now, 0

    def prune(self, node: int, peer: int, now: int) -> None:
        """Notes that a neighbour left the mesh, and what it was short of."""
        standing = self._of(node, peer)
        deficit = self._deficit(standing, now)
        standing.failures += deficit * deficit // MILLION
        standing.mesh_since_ns = None

    def beat(self, node: int, now: int) -> dict[int, int]:
        """Lets a node's counters decay and scores its neighbours anew."""
        limits = self.parameters
        graylist = limits.graylist_threshold * MILLION
        scores, ignored = self._scores[node], self.ignored[node]
        scores.clear()
        ignored.clear()
        for peer, standing in self._standings[node].items():
            if standing.first:
                standing.first = _decayed(standing.first, limits.first_decay)
            if standing.delivered:
                standing.delivered = _decayed(standing.delivered, limits.mesh_decay)
            if standing.failures:
                standing.failures = _decayed(standing.failures, limits.failure_decay)
            if standing.invalid:
                standing.invalid = _decayed(standing.invalid, limits.invalid_decay)
            if standing.breaches:
                standing.breaches = _decayed(standing.breaches, limits.behaviour_decay)
            scores[peer] = score = self._compute(node, peer, standing, now)
            if score < graylist:
                ignored[peer] = None
        return scores

    def _of(self, node: int, peer: int) -> Standing:
        """A neighbour's standing; one that has done nothing yet gets its first."""
        standing = self._standings[node].get(peer)
        if standing is None:
            standing = self._standings[node][peer] = Standing()
        return standing

    def _compute(self, node: int, peer: int, standing: Standing, now: int) -> int:
        limits = self.parameters
        topic = standing.first * limits.first_weight // MILLION
        if standing.mesh_since_ns is not None:
            seconds = min((now - standing.mesh_since_ns) // SECOND, limits.time_cap)
            topic += seconds * limits.time_weight
            topic += _squared(self._deficit(standing, now), limits.mesh_weight)
        if standing.failures:
            topic += standing.failures * limits.failure_weight // MILLION
        if standing.invalid:
            topic += _squared(standing.invalid, limits.invalid_weight)
        score = topic * limits.topic_weight // MILLION
        if standing.breaches:
            score += _squared(standing.breaches, limits.behaviour_weight)
        if limits.colocation_weight:
            sharing = self._sharing[node][self._addresses[peer]]
            excess = max(0, sharing - limits.colocation_threshold)
            score += excess * excess * limits.colocation_weight
        return score

    def _deficit(self, standing: Standing, now: int) -> int:
        """What a mesh neighbour is short of, once enough time has passed to ask."""
        limits, since = self.parameters, standing.mesh_since_ns
        if since is None or now - since <= limits.mesh_activation_ns:
            return 0
        return max(0, limits.mesh_threshold * MILLION - standing.delivered)


def _decayed(counter: int, share_ppm: int) -> int:
    left = counter * share_ppm // MILLION
    return left if left >= DECAY_TO_ZERO else 0


def _squared(counter: int, weight: int) -> int:
    return counter * counter // MILLION * weight // MILLION
