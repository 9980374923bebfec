"""What two peers send each other: operations, blocks, and what tells them who lacks what."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from protocol.encoding import decode
from protocol.messages import Count, Hash, Key, Position

# Between peers


class OperationBatch(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=30):
    """Signed operations, gossiped or sent to one peer."""

    operations: Annotated[tuple[bytes, ...], Meta(max_length=4096)]


class BlockRequest(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=31):
    """Asks for blocks by digest, and for the closure above what the asker has."""

    epoch: Position
    wanted: Annotated[tuple[Hash, ...], Meta(max_length=512)]
    have: Annotated[tuple[Count, ...], Meta(max_length=64)]
    """Highest round accepted from each member; empty when only `wanted` is asked for."""


class BlockBatch(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=32):
    """Signed blocks, ancestors first."""

    blocks: Annotated[tuple[bytes, ...], Meta(max_length=4096)]


class ChainTip(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How far the pool of operations goes for one account."""

    account: Key
    next_nonce: Position
    fingerprint: Annotated[bytes, Meta(min_length=8, max_length=8)]
    """Exclusive or of the first bytes of the pooled identifiers: tells sets apart."""


class Summary(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=33):
    """What a node has, so that its peer can tell what either lacks."""

    epoch: Position
    tips: Annotated[tuple[Count, ...], Meta(max_length=64)]
    """Highest round accepted from each member."""
    chains: Annotated[tuple[ChainTip, ...], Meta(max_length=256)]
    answer: bool
    """True when sent in reply to a summary, so that two peers do not echo for ever."""


PeerMessage = OperationBatch | BlockRequest | BlockBatch | Summary

MESSAGE_BYTES_MAX: Final = 1024 * 1024
"""Largest message between two peers, as the network carries it."""


def open_message(raw: bytes) -> PeerMessage:
    """Decodes a message between peers.

    Raises:
        Rejected: `TOO_LARGE`, `MALFORMED` or `NOT_CANONICAL`.
    """
    kind: type[PeerMessage] = PeerMessage  # type: ignore[assignment]  # a union is its own form
    return decode(raw, kind, MESSAGE_BYTES_MAX)
