"""The rules of a laboratory for single links; `link_filter` applies them."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkRule:
    """How the link to one peer misbehaves; the default does not."""

    cut: bool = False
    """Nothing passes in either direction, open connections included, and dials are refused."""
    delay_ms: int = 0
    """Added to everything that this node writes."""
    loss: float = 0.0
    """Share of writes that need a retransmission, between 0 and 1."""


LinkFilter = Callable[[bytes], LinkRule]
"""Asked with the account of a peer, for every write and every read."""

UNTOUCHED = LinkRule()
