"""One question to one peer: an answer that breaks no rule of form, or what was wrong with it."""

from itertools import pairwise

from p2pnode.arrival import wire
from p2pnode.network import Network
from protocol.encoding import content_digest, encode
from protocol.errors import Rejected
from protocol.snapshot import PAGE_BYTES_MAX

ANSWER_SECONDS = 20.0
"""For one answer; the largest takes a slow line of 200 KiB/s that long."""


class PeerLied(Exception):  # noqa: N818  what the peer did, in words for a log
    """A peer's answer cannot be true, or is none to the question."""


class Asking:
    """Puts questions to peers.

    Every method raises `PeerLied` for an answer that no honest peer gives, and `NetworkError`
    where none came: the peer is away, slow, or says that it does not have what was asked for.
    """

    def __init__(self, network: Network) -> None:
        self._network = network

    async def standing(self, account: bytes) -> wire.Standing:
        """Asks what a peer has."""
        raw = await self._ask(account, wire.STANDING_KIND, b"")
        try:
            standing = wire.open_standing(raw)
        except Rejected as refusal:
            raise PeerLied(f"what it says it has is no answer: {refusal}") from refusal
        snapshots = standing.snapshots
        if standing.first_certificate > standing.newest_certificate:
            raise PeerLied("its first certificate is newer than its newest one")
        if any(one >= other for one, other in pairwise(snapshots)):
            raise PeerLied("its snapshots do not ascend")
        return standing

    async def certificates(self, account: bytes, first: int, count: int) -> tuple[bytes, ...]:
        """Asks for certificates of consecutive epochs; they are at least one and not checked."""
        question = encode(wire.CertificatesQuestion(first, count))
        raw = await self._ask(account, wire.CERTIFICATES_KIND, question)
        try:
            raws = wire.open_certificates(raw).raws
        except Rejected as refusal:
            raise PeerLied(f"it sends no certificates: {refusal}") from refusal
        if not 0 < len(raws) <= count:
            raise PeerLied(f"asked for up to {count} certificates, it sends {len(raws)}")
        return raws

    async def page_list(self, account: bytes, epoch: int) -> tuple[bytes, ...]:
        """Asks for the digests of a snapshot's pages."""
        raw = await self._ask(account, wire.PAGE_LIST_KIND, encode(wire.PageListQuestion(epoch)))
        try:
            return wire.open_page_list(raw).digests
        except Rejected as refusal:
            raise PeerLied(f"it sends no list of pages: {refusal}") from refusal

    async def page(self, account: bytes, epoch: int, number: int, digest: bytes) -> bytes:
        """Asks for one page, which must have its digest."""
        question = encode(wire.PageQuestion(epoch, number))
        raw = await self._ask(account, wire.PAGE_KIND, question)
        if len(raw) > PAGE_BYTES_MAX:
            raise PeerLied(f"a page of {len(raw)} bytes is above the limit")
        if content_digest(raw) != digest:
            raise PeerLied(f"page {number} is not the one in its list")
        return raw

    async def _ask(self, account: bytes, kind: str, question: bytes) -> bytes:
        return await self._network.request(account, kind, question, ANSWER_SECONDS)
