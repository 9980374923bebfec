"""The rules of a laboratory for single links; `link_filter` applies them."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkRule:
    """How the link to one peer misbehaves; the default does not.

    Everything but `cut` is directed: it is about what this node sends to the peer.
    """

    cut: bool = False
    """Nothing passes in either direction, open connections included, and dials are refused."""
    mute: bool = False
    """Nothing that this node sends arrives; dials of either end fail, as no handshake would end."""
    delay_ms: float = 0
    """The least time on the way."""
    jitter_ms: float = 0
    """Up to so much more, drawn evenly."""
    tail_ms: float = 0
    """Mean of a further time, drawn from an exponential distribution."""
    loss: float = 0.0
    """Share of packets that are lost, between 0 and 1."""
    rate_bps: int = 0
    """Bits that pass in a second; 0 for no limit."""


LinkFilter = Callable[[bytes], LinkRule]
"""Asked with the account of a peer, for every write and every read."""

UNTOUCHED = LinkRule()
