"""Counts of what links were given to carry, and of what became of it."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Traffic:
    """What the links were given to carry, and what became of it.

    Attributes:
        messages: All that met no cut, whatever came of it.
        size_bytes: Of these together.
        cut: Messages that met a cut link, and were lost or went round.
        queued_drop: Messages for which a queue had no room.
        reordered: Messages that were held back for others to overtake.
        held: Messages that a clogged link let go only when it was free again.
    """

    messages: int = 0
    size_bytes: int = 0
    lost: int = 0
    duplicated: int = 0
    cut: int = 0
    queued_drop: int = 0
    reordered: int = 0
    held: int = 0

    def add(self, other: "Traffic") -> None:
        """Adds what another link has carried."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
