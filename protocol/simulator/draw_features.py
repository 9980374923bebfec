"""Chooses what goes wrong in a drawn network, so that every class comes up as often as any other.

Chance alone would leave some classes out of some samples. Seeds are dealt out instead, fifty after
fifty: in each fifty, every class is once the only thing that goes wrong, so that no other hides it,
and comes up in half of the mixtures, where any may meet any; one network is left in peace.
"""

from enum import Enum
from typing import Final

from protocol.simulator.chance import Stream
from protocol.simulator.draw_faults import Kind
from protocol.simulator.scenario import Behaviour


class Steady(Enum):
    """What may be wrong during all of a run."""

    LOSS = "loss"
    DUPLICATION = "duplication"
    REORDERING = "reordering"
    SKEW = "skew"


class Doubt(Enum):
    """What may keep a member from taking part, though nobody is dishonest by choice."""

    STALE = "stale"
    """It goes back to an old copy of its disk, and sits out."""
    TWIN = "twin"
    """It runs twice, and both sit out."""


MISDEEDS: Final = (Behaviour.EQUIVOCATING, Behaviour.WITHHOLDING, Behaviour.BURYING)
"""Behaviours of members, which only their blocks show."""

WORK_FAULTS: Final = (
    Behaviour.LYING,
    Behaviour.ERRING,
    Behaviour.LAZY,
    Behaviour.SILENT,
    Behaviour.HIDING,
    Behaviour.COPYING,
    Behaviour.SYBIL,
)
"""Behaviours that only show when their node is drawn for a job."""

Feature = Kind | Steady | Doubt | Behaviour

FEATURES: Final[tuple[Feature, ...]] = (
    *Kind,
    *Steady,
    *Doubt,
    *MISDEEDS,
    Behaviour.SPAMMING,
    *WORK_FAULTS,
)
"""Every class of what can go wrong."""

MIXTURES: Final = 20
MIXED_IN: Final = 9
"""How many of the mixtures each class is in."""

CALM: Final = 1

DEAL: Final = len(FEATURES) + MIXTURES + CALM
"""How many seeds are dealt out together, the first of them to seeds 1 to this."""


def draw_features(seed: int) -> tuple[Feature, ...]:
    """Chooses what goes wrong: nothing, one thing, or about half of everything."""
    deal, place = divmod(seed + DEAL - 1, DEAL)
    number = Stream(deal, "deal").shuffled(range(DEAL))[place]
    if number < len(FEATURES):
        return (FEATURES[number],)
    return draw_mixture("small", deal, number - len(FEATURES))


def draw_mixture(purpose: str, deal: int, mixture: int) -> tuple[Feature, ...]:
    """Chooses about half of everything.

    Args:
        purpose: What the deal is for.
        deal: Number of the deal.
        mixture: Number in it, below `MIXTURES`; anything else has nothing go wrong.
    """
    return tuple(
        feature
        for index, feature in enumerate(FEATURES)
        if mixture in Stream(deal, purpose, index).shuffled(range(MIXTURES))[:MIXED_IN]
    )
