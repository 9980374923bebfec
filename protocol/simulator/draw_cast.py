"""Draws who takes part in a network: members and their stakes, others, and who of them is bad."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.simulator.chance import Stream
from protocol.simulator.draw_features import MISDEEDS, WORK_FAULTS, Doubt, Feature
from protocol.simulator.scenario import Behaviour

MEMBERS: Final = (4, 4, 4, 4, 5, 5, 6, 7)
"""Of networks where at most one thing goes wrong."""

SOUND: Final = (4, 4, 4, 5)
"""Members that do as they should, in the others."""

OBSERVER_PPM: Final = 400_000
"""How many networks have an honest node outside the committee."""

STAKE: Final = 5_000
STAKES: Final = (3_000, 10_000)
SYBILS: Final = (2, 3)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part; nodes count from 0, members first.

    Attributes:
        stakes: Of the members.
        observers: Nodes outside the committee.
        behaviours: Nodes that are not honest.
        twins: Members that run twice.
        stale: Members that go back to an old copy of their disk.
    """

    stakes: tuple[int, ...]
    observers: int
    behaviours: tuple[tuple[int, Behaviour], ...]
    twins: tuple[int, ...]
    stale: tuple[int, ...]


def draw_cast(stream: Stream, features: Sequence[Feature], nodes: int | None = None) -> Cast:
    """Draws a network that can do without all its members that are bad or in doubt.

    Bad workers and spammers need no seat in the committee, and only have one, now and then, where
    nothing else is wrong.

    Args:
        stream: Draws everything.
        features: What goes wrong.
        nodes: How many there are, twins left out; drawn when it is None.
    """
    inside, outside = _places(stream, features)
    sound = stream.pick(SOUND) + len(inside) if len(features) > 1 else stream.pick(MEMBERS)
    honest_observers = int(Behaviour.BURYING in features or stream.hits(OBSERVER_PPM))
    members = sound if nodes is None else nodes - honest_observers - len(outside)
    seats = stream.shuffled(range(members))[: len(inside)]
    first = members + honest_observers
    seated = list(zip(seats, inside, strict=True))
    bad = [(node, one) for node, one in seated if isinstance(one, Behaviour)]
    return Cast(
        stakes=_stakes(stream, members, seats),
        observers=honest_observers + len(outside),
        behaviours=(*sorted(bad, key=lambda one: one[0]), *enumerate(outside, start=first)),
        twins=tuple(node for node, one in seated if one is Doubt.TWIN),
        stale=tuple(node for node, one in seated if one is Doubt.STALE),
    )


def _places(
    stream: Stream, features: Sequence[Feature]
) -> tuple[list[Doubt | Behaviour], list[Behaviour]]:
    """Tells what is wrong with members from what is wrong with others."""
    inside: list[Doubt | Behaviour] = []
    outside: list[Behaviour] = []
    for one in features:
        if isinstance(one, Doubt) or one in MISDEEDS:
            inside.append(one)
        elif one is Behaviour.SYBIL:
            outside += (one,) * stream.between(*SYBILS)
        elif one is Behaviour.SPAMMING or one in WORK_FAULTS:
            if len(features) == 1 and stream.below(2):
                inside.append(one)
            else:
                outside.append(one)
    return inside, outside


def _stakes(stream: Stream, members: int, seats: Sequence[int]) -> tuple[int, ...]:
    """Draws stakes, of which those of certain members together stay below a third."""
    if stream.below(2):
        stakes = [STAKE] * members
    else:
        stakes = [stream.between(*STAKES) for _ in range(members)]
    rest = sum(stake for node, stake in enumerate(stakes) if node not in seats)
    for node in seats:
        stakes[node] = min(stakes[node], (rest - 1) // (2 * len(seats)))
    return tuple(stakes)
