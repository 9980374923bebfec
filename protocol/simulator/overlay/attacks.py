"""Attacks on a mesh by many false nodes, and what they cost honest ones.

After "GossipSub: Attack-Resilient Message Propagation in the Filecoin and ETH2.0 Networks"
(arXiv 2007.02754), with the behaviour and parameters of github.com/libp2p/gossipsub-hardening.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.simulator.chance import MILLION, Stream
from protocol.simulator.engine import Engine
from protocol.simulator.network import Delay, Law
from protocol.simulator.overlay.experiments import delivered_to
from protocol.simulator.overlay.gossipsub import MeshRouter
from protocol.simulator.overlay.message import Message
from protocol.simulator.overlay.overlay import Overlay
from protocol.simulator.overlay.parameters import OverlayParameters
from protocol.simulator.overlay.topology import Topology, draw_topology, with_strangers
from protocol.simulator.overlay.wires import WireConditions
from protocol.units import MILLISECOND, SECOND

ATTACKED_LINKS: Final = WireConditions(
    distance=Delay(Law.CONSTANT, 25 * MILLISECOND, 25 * MILLISECOND), jitter_ppm=100_000
)
"""Links of the published attacks: 25 ms, and up to a tenth more."""

DEADLINE_NS: Final = 6 * SECOND
"""What comes later is of no use any more to the networks for which attacks were published."""

SYBIL_DIALS: Final = 100
"""Honest nodes that each false one dials: with 4,000 for 1,000 honest ones, which dial 20 each,
this is the published ratio of 20 to 1. The configurations that are stored say 20."""

SAMPLE_NS: Final = 5 * SECOND
"""Time between two looks at the meshes."""


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack as a value; times from the start of the network.

    Attributes:
        honest: Honest nodes.
        publishers: Those of them that publish, the first in number.
        sybils: False nodes.
        sybil_dials: Honest nodes that each of them dials.
        rate: Messages a second, of all publishers together.
        join_ns: When the false nodes come.
        attack_ns: When they begin to pass nothing on; before, they behave.
        first_ns: When the first message is published.
        last_ns: When the last one is.
        cool_ns: Time that is left to the last message.
        target: The one honest node that is attacked; None attacks all.
    """

    honest: int
    publishers: int
    sybils: int
    sybil_dials: int
    rate: int
    join_ns: int
    attack_ns: int
    first_ns: int
    last_ns: int
    cool_ns: int = 30 * SECOND
    target: int | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """What an attack came to, at the attacked nodes and from its begin.

    Attributes:
        published: Messages.
        wanted: Deliveries that would have been right.
        lost: Those that did not come about.
        late: Those that did not come about in time, the lost ones among them.
        swallowed: Copies that false nodes took; 0 when the attack never bit.
        honest_ppm: Of the mesh links of the attacked nodes, the share that leads to honest ones;
            sampled from the start on.
        events: Copies and control sent by everybody during the whole run.
    """

    published: int
    wanted: int
    lost: int
    late: int
    swallowed: int
    honest_ppm: tuple[int, ...]
    events: int

    @property
    def lost_ppm(self) -> int:
        """The share that was lost; rounds down."""
        return self.lost * MILLION // self.wanted


def cold_boot(honest: int, sybils: int, rate: int, run_ns: int = 180 * SECOND) -> Attack:
    """False nodes are there from the start, when the honest ones build their first meshes.

    Published with 1,000 honest nodes, 4,000 false ones, 120 messages a second.
    """
    return Attack(
        honest=honest,
        publishers=max(1, honest // 10),
        sybils=sybils,
        sybil_dials=min(SYBIL_DIALS, honest),
        rate=rate,
        join_ns=0,
        attack_ns=0,
        first_ns=30 * SECOND,
        last_ns=30 * SECOND + run_ns,
    )


def covert_flash(honest: int, sybils: int, rate: int, run_ns: int = 300 * SECOND) -> Attack:
    """False nodes behave for two minutes and then all stop passing messages on at once."""
    return Attack(
        honest=honest,
        publishers=max(1, honest // 10),
        sybils=sybils,
        sybil_dials=min(SYBIL_DIALS, honest),
        rate=rate,
        join_ns=0,
        attack_ns=120 * SECOND,
        first_ns=30 * SECOND,
        last_ns=30 * SECOND + run_ns,
    )


def eclipse(honest: int, sybils: int, rate: int, run_ns: int = 180 * SECOND) -> Attack:
    """False nodes all link to one honest node a minute after the start.

    Published with 1,000 honest nodes and 1,000 false ones.
    """
    return Attack(
        honest=honest,
        publishers=max(1, honest // 10),
        sybils=sybils,
        sybil_dials=1,
        rate=rate,
        join_ns=60 * SECOND,
        attack_ns=60 * SECOND,
        first_ns=30 * SECOND,
        last_ns=30 * SECOND + run_ns,
        target=honest - 1,
    )


def attacked(attack: Attack, parameters: OverlayParameters, seed: int) -> Damage:
    """Runs an attack.

    Args:
        attack: What the false nodes do.
        parameters: How the honest nodes gossip; a mesh.
        seed: Of all draws.
    """
    engine, topology = Engine(), _topology(attack, parameters, seed)
    overlay = Overlay(engine, topology, parameters, ATTACKED_LINKS, seed, attack.honest)
    assert overlay.mesh is not None
    assert overlay.sybils is not None
    overlay.sybils.is_attacking = False
    watched = range(attack.honest) if attack.target is None else (attack.target,)
    stream, samples = Stream(seed, "sources"), list[int]()
    engine.at(attack.join_ns, overlay.let_in)
    end_ns, gap_ns = attack.last_ns + attack.cool_ns, SECOND // attack.rate
    next_ns, attack_from = attack.first_ns, 0
    for now in range(0, end_ns, SECOND):
        if now == attack.attack_ns:
            overlay.sybils.is_attacking = True
            attack_from = len(overlay.messages)
        while next_ns < min(now + SECOND, attack.last_ns):
            engine.run(next_ns)
            overlay.publish(stream.below(attack.publishers))
            next_ns += gap_ns
        engine.run(now + SECOND)
        if (now + SECOND) % SAMPLE_NS == 0:
            samples.append(_honest_ppm(overlay.mesh, watched, attack.honest))
    messages = overlay.messages[attack_from:]
    wanted, delivered = delivered_to(messages, watched)
    return Damage(
        published=len(messages),
        wanted=wanted,
        lost=wanted - delivered,
        late=wanted - _in_time(messages, watched),
        swallowed=overlay.sybils.swallowed,
        honest_ppm=tuple(samples),
        events=overlay.tally.events,
    )


def recovery_ns(damage: Damage, attack: Attack, share_ppm: int) -> int | None:
    """Time from an attack's begin until so much of the meshes was honest for good; None: never."""
    found = None
    for place, honest_ppm in enumerate(damage.honest_ppm, start=1):
        time_ns = place * SAMPLE_NS - attack.attack_ns
        if time_ns >= 0 and honest_ppm < share_ppm:
            found = None
        elif time_ns >= 0 and found is None:
            found = time_ns
    return found


def _in_time(messages: Sequence[Message], nodes: Sequence[int]) -> int:
    """Counts deliveries to nodes other than the origins that took no longer than is allowed."""
    return sum(
        message.seen[node] and message.arrivals[node] - message.born_ns <= DEADLINE_NS
        for message in messages
        for node in nodes
        if node != message.origin
    )


def _topology(attack: Attack, parameters: OverlayParameters, seed: int) -> Topology:
    stream = Stream(seed, "topology")
    honest = draw_topology(attack.honest, parameters.dials, parameters.accepts, stream)
    targets = range(attack.honest) if attack.target is None else (attack.target,)
    return with_strangers(honest, attack.sybils, attack.sybil_dials, targets, stream)


def _honest_ppm(mesh: MeshRouter, watched: Sequence[int], honest: int) -> int:
    links = [peer for node in watched for peer in mesh.mesh(node)]
    return sum(peer < honest for peer in links) * MILLION // max(1, len(links))
