"""Merges what observers with stake say of others, so that a minority can praise itself in vain.

Each observer divides a whole among the subjects. What more than a majority of the stake supports
counts, and what exceeds it is cut. Whoever said more than that is believed less. This is the rule
alone: no operation brings observations to the ledger yet, and nothing is paid by them. Results of
jobs are never judged this way.

Source: Yuma consensus, opentensor/subtensor, docs/consensus.md (equations 3 to 5 and 7).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.errors import Misuse
from protocol.units import BASIS, BasisPoints, Credits

WHOLE: Final = 10**9
"""What an observer divides, and what all subjects and all observers share in the end."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What all observers together say."""

    supported: tuple[int, ...]
    """Of each subject: the most that a majority of the stake supports."""
    subjects: tuple[int, ...]
    """What each subject has of the whole, rounded down."""
    observers: tuple[int, ...]
    """What each observer has of the whole for having seen it, rounded down."""


def merge(
    stakes: Sequence[Credits],
    observations: Sequence[Sequence[int]],
    majority: BasisPoints,
    penalty: BasisPoints,
) -> Merged:
    """Merges observations.

    Args:
        stakes: What each observer has at stake.
        observations: One row for each observer, with a number from 0 to `WHOLE` for each subject.
        majority: Share of the stake that has to support a number for it to count.
        penalty: How much of what an observer said beyond that is lost to itself, too.

    Raises:
        Misuse: No stake, or rows of other lengths.
    """
    total = sum(stakes)
    lengths = {len(row) for row in observations}
    if not total or len(stakes) != len(observations) or len(lengths) != 1:
        raise Misuse("every observer says something of every subject, and some have a stake")
    needed = total * majority
    supported, ranks = [], []
    believed: list[tuple[list[int], int]] = []
    for column in zip(*observations, strict=True):
        limit = _supported(stakes, column, needed)
        supported.append(limit)
        pairs = tuple(zip(stakes, column, strict=True))
        ranks.append(sum(stake * min(said, limit) for stake, said in pairs))
        bonds = [
            stake * (said * (BASIS - penalty) + min(said, limit) * penalty) for stake, said in pairs
        ]
        believed.append((bonds, sum(bonds)))
    everything = max(1, sum(ranks))
    subjects = tuple(rank * WHOLE // everything for rank in ranks)
    observers = [0] * len(stakes)
    for (bonds, together), share in zip(believed, subjects, strict=True):
        for place, bond in enumerate(bonds):
            observers[place] += bond * share // max(1, together)
    return Merged(tuple(supported), subjects, tuple(observers))


def _supported(stakes: Sequence[Credits], column: Sequence[int], needed: int) -> int:
    """Finds the most that enough stake says at least; 0 when not even that is enough."""
    support = 0
    for said, stake in sorted(zip(column, stakes, strict=True), reverse=True):
        support += stake * BASIS
        if support >= needed:
            return said
    return 0
