"""Counts of what the network did, by name; read by metrics and by tests."""

from collections import Counter
from collections.abc import Mapping


class Counters:
    """Adds up named events since the network was opened."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, amount: int = 1) -> None:
        """Add to one count."""
        self._counts[name] += amount

    def values(self) -> Mapping[str, int]:
        """A copy of all counts; a name that never happened is absent."""
        return dict(self._counts)
