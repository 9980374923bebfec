"""What an overlay is told: strategy, links, mesh and scores, and the sets of them that are known.

Shares and weights are millionths. The mesh and its scores follow the published specification of
GossipSub 1.1; peer exchange and penalties for unkept promises of IHAVE are not modelled.
"""

from dataclasses import dataclass, replace
from enum import Enum

from protocol.simulator.overlay.topology import UNLIMITED
from protocol.units import MILLISECOND, SECOND


class Strategy(Enum):
    """How a message spreads."""

    FLOOD = "flood"
    """To every neighbour, once."""
    GOSSIPSUB = "gossipsub"
    """At once within a mesh, and by name to some others at each heartbeat."""
    PUSH = "push"
    """Each round, every node that knows it tells one node at random."""
    INFECT_AND_DIE = "infect-and-die"
    """To some neighbours at random when it is new, and never again."""


@dataclass(frozen=True, slots=True)
class ScoreParameters:
    """How a node judges its neighbours; weights and shares in millionths.

    Attributes:
        topic_weight: Of everything that concerns deliveries.
        time_weight: For each second in the mesh.
        time_cap: Seconds that count at most.
        first_weight: For each message that a neighbour was the first to bring.
        first_decay: Share of that number which is left after a heartbeat.
        first_cap: First deliveries that count at most.
        mesh_weight: For the square of deliveries that a mesh neighbour is short of.
        mesh_decay: Share of its deliveries which is left after a heartbeat.
        mesh_cap: Mesh deliveries that count at most.
        mesh_threshold: Deliveries that are asked of it.
        mesh_activation_ns: Time in the mesh before anything is asked of it.
        mesh_window_ns: A copy so much later than the first still counts as delivered.
        failure_weight: For squared deficits that it took along when it left the mesh.
        failure_decay: Share of them which is left after a heartbeat.
        invalid_weight: For the square of invalid messages.
        invalid_decay: Share of them which is left after a heartbeat.
        colocation_weight: For the square of neighbours beyond the threshold at one address.
        colocation_threshold: Neighbours at one address that cost nothing.
        behaviour_weight: For the square of breaches of the protocol.
        behaviour_decay: Share of them which is left after a heartbeat.
        gossip_threshold: Below it, no IHAVE and IWANT are exchanged.
        publish_threshold: Below it, own messages are not flooded to a neighbour.
        graylist_threshold: Below it, all that a neighbour sends is ignored.
        graft_threshold: A mesh whose median is below it takes in better neighbours.
        graft_ticks: Heartbeats between such looks at the median.
    """

    topic_weight: int = 250_000
    time_weight: int = 2_700
    time_cap: int = 3_600
    first_weight: int = 664_000
    first_decay: int = 991_600
    first_cap: int = 1_500
    mesh_weight: int = -250_000
    mesh_decay: int = 997_000
    mesh_cap: int = 400
    mesh_threshold: int = 10
    mesh_activation_ns: int = 60 * SECOND
    mesh_window_ns: int = 5 * MILLISECOND
    failure_weight: int = -250_000
    failure_decay: int = 997_000
    invalid_weight: int = -99_000_000
    invalid_decay: int = 999_400
    colocation_weight: int = 0
    colocation_threshold: int = 1
    behaviour_weight: int = -10_000_000
    behaviour_decay: int = 990_000
    gossip_threshold: int = -4_000
    publish_threshold: int = -5_000
    graylist_threshold: int = -10_000
    graft_threshold: int = 0
    graft_ticks: int = 60


@dataclass(frozen=True, slots=True)
class MeshParameters:
    """How a mesh is kept.

    Attributes:
        degree: Neighbours that a mesh is brought back to (D).
        low: Fewer than these are too few (D_low).
        high: More than these are too many (D_high).
        lazy: Neighbours outside the mesh that are told names of messages (D_lazy).
        lazy_ppm: The share of them that is told, when that is more.
        outward: Mesh neighbours that the node dialled itself, at least (D_out).
        best: Neighbours kept for their score when there are too many (D_score).
        heartbeat_ns: Time between two looks at the mesh.
        window: Heartbeats for which a message is named to others.
        history: Heartbeats for which a message is handed out.
        backoff_ns: Time for which a pruned neighbour must not graft; 0 lets everybody graft.
        floods_own: Whether own messages go to all neighbours and not to the mesh alone.
        refuses_when_full: Whether only neighbours that the node dialled itself may graft it beyond
            `high`; else everybody may, and the next heartbeat cuts the mesh back.
        scores: How neighbours are judged; None judges nobody.
    """

    degree: int = 6
    low: int = 5
    high: int = 12
    lazy: int = 6
    lazy_ppm: int = 250_000
    outward: int = 2
    best: int = 4
    heartbeat_ns: int = SECOND
    window: int = 3
    history: int = 5
    backoff_ns: int = 60 * SECOND
    floods_own: bool = True
    refuses_when_full: bool = True
    scores: ScoreParameters | None = None


@dataclass(frozen=True, slots=True)
class OverlayParameters:
    """An overlay as a value.

    Attributes:
        strategy: How messages spread.
        dials: Links that each node begins.
        accepts: Links that each node accepts besides.
        fan_out: Nodes that are told at once, when infecting and dying.
        round_ns: Length of a round, when pushing.
        mesh: Of GossipSub.
    """

    strategy: Strategy
    dials: int
    accepts: int = UNLIMITED
    fan_out: int = 1
    round_ns: int = SECOND
    mesh: MeshParameters = MeshParameters()


def as_the_node() -> OverlayParameters:
    """What our node does: 4 links dialled, 8 accepted, everything to all of them, no control."""
    return OverlayParameters(Strategy.FLOOD, dials=4, accepts=8)


def gossipsub_1_0() -> OverlayParameters:
    """GossipSub 1.0 as its author simulated it: 20 links dialled, no backoff, grafts never refused.

    Source: github.com/vyzo/gerbil-simsub, `simsub/gossipsub-base.ss` and `gossipsub-v1_0.ss`.
    """
    mesh = MeshParameters(
        low=4,
        lazy_ppm=0,
        outward=0,
        best=0,
        history=120,
        backoff_ns=0,
        floods_own=False,
        refuses_when_full=False,
    )
    return OverlayParameters(Strategy.GOSSIPSUB, dials=20, mesh=mesh)


def gossipsub_attacked_1_0() -> OverlayParameters:
    """GossipSub 1.0 with the degrees that it was attacked with: nothing of 1.1, no scores.

    It names messages to as many neighbours outside the mesh as the mesh is to have; a degree of
    their own came with 1.1.

    Source: github.com/libp2p/go-libp2p-pubsub, `gossipsub.go` at commit 6bd07a7, `emitGossip`; and
    github.com/libp2p/gossipsub-hardening, `test/honest_vanilla.go`, for what is set.
    """
    mesh = MeshParameters(
        degree=8,
        low=6,
        lazy=8,
        lazy_ppm=0,
        outward=0,
        best=0,
        backoff_ns=0,
        floods_own=False,
        refuses_when_full=False,
    )
    return OverlayParameters(Strategy.GOSSIPSUB, dials=20, mesh=mesh)


def gossipsub_attacked_1_1(*, scored: bool = True) -> OverlayParameters:
    """GossipSub 1.1 as it was attacked, with or without scores.

    Source: github.com/libp2p/gossipsub-hardening, `scripts/configs/`, file
    `1k-attack-cold-boot-covert-flash-oppgraft.json`, and `test/params.go`, which asks for
    deliveries only 30 s, the time before the first message, later than configured. For what it
    leaves out (the penalty for breaches, D_out), the defaults of the specification.
    """
    scores = None
    if scored:
        scores = ScoreParameters(mesh_activation_ns=90 * SECOND, graft_threshold=10, graft_ticks=10)
    mesh = MeshParameters(degree=8, low=6, lazy=12, best=6, scores=scores)
    return OverlayParameters(Strategy.GOSSIPSUB, dials=20, mesh=mesh)


def gossipsub_attacked_april() -> OverlayParameters:
    """GossipSub 1.1 as it was on 17 April 2020, when the published attacks were run.

    A full mesh took everybody in and was cut back at the next heartbeat to those with the best
    scores; a quota of own links and a penalty for grafting too early came later.

    Source: github.com/libp2p/go-libp2p-pubsub, `gossipsub.go` at commit 9904d69, and the commits
    1645516, 7d320ac and 7890c5a of April and May after it.
    """
    known = gossipsub_attacked_1_1()
    assert known.mesh.scores is not None
    scores = replace(known.mesh.scores, behaviour_weight=0)
    mesh = replace(known.mesh, outward=0, refuses_when_full=False, scores=scores)
    return replace(known, mesh=mesh)
