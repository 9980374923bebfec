"""The whole way of a newcomer: certificates, then a snapshot, compared with the certified root."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from p2pnode.arrival.chain import ChainFetch
from p2pnode.arrival.company import Company
from p2pnode.arrival.pages import Certified, PageFetch, Shelf
from p2pnode.arrival.progress import Progress
from p2pnode.arrival.wire import NO_EPOCH, Standing
from protocol.ledger.certificate import Boundary
from protocol.ledger.certificate_chain import CertificateChain
from protocol.ledger.certified import TrustedEnd, boundary_of, open_certificate
from protocol.messages import Genesis, network_of
from protocol.signing import REAL
from protocol.units import Digest, Epoch

ATTEMPTS_MAX: Final = 5
"""Looks at what peers have: a snapshot may be replaced by a newer one while it is fetched."""

log = structlog.get_logger(__name__)


class ArrivalRefused(Exception):  # noqa: N818  the answer to a start, with what to do about it
    """The history that was found cannot be the one that the operator trusts."""


class Store(Protocol):
    """Where a newcomer keeps what it has proven; each method may raise `StorageError`."""

    @property
    def shelf(self) -> Shelf:
        """Where the pages of a snapshot wait until it is proven."""

    async def standing(self) -> Standing:
        """What is here already."""

    async def certificates(self, first: int, count: int) -> Sequence[bytes]:
        """Certificates of consecutive epochs from this one on; none where it is not here."""

    async def keep_certificates(self, first: Epoch, raws: Sequence[bytes]) -> None:
        """Keeps certificates of consecutive epochs; one that is here already stays as it is."""

    async def install(self, boundary: Boundary, pages: Sequence[bytes]) -> None:
        """Makes the state at the end of an epoch durable: the next start begins there."""


@dataclass(frozen=True, slots=True)
class Way:
    """What a newcomer goes by."""

    genesis: Genesis
    trusted: TrustedEnd | None
    """The end that the operator named by hand."""


async def arrive(way: Way, store: Store, company: Company, progress: Progress) -> Epoch | None:
    """Brings the newest certified state here that anybody serves.

    Returns:
        The epoch at whose end it is; None where nobody serves one that is newer than what is here.

    Raises:
        ArrivalRefused: nobody shows the end that the operator trusts.
        HistoryForked: Two histories are certified.
    """
    own = await store.standing()
    chain = await _begun_chain(way, store, own)
    begin = chain.next_epoch
    fetch = ChainFetch(company, chain, store.keep_certificates, progress)
    pages = PageFetch(company, progress, store.shelf)
    for _ in range(ATTEMPTS_MAX):
        standings = await fetch.run()
        if chain.newest is None:
            if way.trusted is not None:
                raise _untrusted(way.trusted, fetch, standings)
            _refuse_unprovable(standings, chain.next_epoch)
            return None
        log.info("epochs_verified", since=begin, newest=chain.newest.epoch, peers=len(standings))
        newest_own = own.snapshots[-1] if own.snapshots else NO_EPOCH
        found = _newest_snapshot(standings, newest_own, chain.newest.epoch)
        if found is None:
            _refuse_unprovable(standings, chain.next_epoch)
            return None
        boundary = await _boundary(store, network_of(way.genesis), found[0])
        if boundary is None:
            return None
        got = await pages.run(Certified(boundary.epoch, boundary.state_digest), found[1])
        if got is not None:
            await store.install(boundary, got)
            log.info("snapshot_here", epoch=boundary.epoch, index=boundary.index, pages=len(got))
            return boundary.epoch
    return None


async def has_trusted_end(way: Way, store: Store) -> bool:
    """Whether the chain in a store shows the end that the operator trusts.

    Raises:
        ArrivalRefused: It shows another one.
    """
    trusted = way.trusted
    if trusted is None:
        return False
    known = await _boundary(store, network_of(way.genesis), trusted.epoch)
    first = trusted.epoch if known else (await store.standing()).first_certificate
    if trusted.epoch < first:
        raise ArrivalRefused(
            f"this data folder keeps certificates from epoch {first} on, so that it cannot be "
            f"compared with --checkpoint {trusted.epoch}: name the end of a later epoch, or use a "
            "fresh data folder (--data-dir)"
        )
    if known is not None and known.digest != trusted.boundary:
        raise ArrivalRefused(
            f"the ledger in this data folder has another end of epoch {trusted.epoch} than "
            f"--checkpoint: {known.digest.hex()}. Ask several operators which one is right, "
            "and use a fresh data folder (--data-dir) if it is theirs"
        )
    return known is not None


async def _begun_chain(way: Way, store: Store, own: Standing) -> CertificateChain:
    """Takes up the chain where the store ends, or else where the operator's trust begins."""
    trusted, newest = way.trusted, own.newest_certificate
    await has_trusted_end(way, store)
    if trusted is not None and newest < trusted.epoch:
        return CertificateChain(way.genesis, REAL, trusted)
    end = await _boundary(store, network_of(way.genesis), newest)
    if end is None:
        return CertificateChain(way.genesis, REAL)
    chain = CertificateChain(way.genesis, REAL, TrustedEnd(end.epoch, end.digest))
    chain.extend((await store.certificates(newest, 1))[0])
    return chain


async def _boundary(store: Store, network: Digest, epoch: int) -> Boundary | None:
    """How an epoch ended, by the certificate in the store."""
    raws = await store.certificates(epoch, 1) if epoch > NO_EPOCH else ()
    return boundary_of(open_certificate(raws[0]), network) if raws else None


def _newest_snapshot(
    standings: dict[bytes, Standing], older: int, newest: int
) -> tuple[int, list[bytes]] | None:
    """Names the newest snapshot whose end is proven, and who has it."""
    epochs = {epoch for one in standings.values() for epoch in one.snapshots}
    useful = [epoch for epoch in epochs if older < epoch <= newest]
    if not useful:
        return None
    best = max(useful)
    return best, [account for account, one in standings.items() if best in one.snapshots]


def _refuse_unprovable(standings: dict[bytes, Standing], wanted: Epoch) -> None:
    """Refuses to start where no peer can prove what follows, nor has the blocks of it any more.

    Raises:
        ArrivalRefused: Every peer has dropped both. What a peer says of itself is not proven, so
            that one which has not is believed before all others that claim to be ahead.
    """
    ahead = [one for one in standings.values() if one.newest_certificate >= wanted]
    firsts = [min(one.first_certificate, one.first_blocks) for one in standings.values()]
    if not ahead or min(firsts) <= wanted:
        return
    first = min(one.first_certificate for one in ahead)
    raise ArrivalRefused(
        f"the peers that were asked keep certificates from epoch {first} on, and the chain has to "
        f"go on with epoch {wanted}: name an archive node with --bootstrap, or give the end of "
        f"epoch {first} or later as --checkpoint EPOCH:HASH, as `p2pnode status` of a node that "
        "you trust shows it"
    )


def _untrusted(
    trusted: TrustedEnd, fetch: ChainFetch, standings: dict[bytes, Standing]
) -> ArrivalRefused:
    name = f"{trusted.epoch}:{trusted.boundary.hex()}"
    if fetch.contradictions:
        told = ", ".join(sorted(set(fetch.contradictions.values())))
        return ArrivalRefused(
            f"the chain of every peer that was asked contradicts --checkpoint {name} ({told}): ask "
            "several operators for theirs, or name peers of the right network with --bootstrap"
        )
    firsts = [one.first_certificate for one in standings.values()]
    if firsts and min(firsts) > trusted.epoch:
        return ArrivalRefused(
            f"the peers that were asked keep certificates from epoch {min(firsts)} on, and "
            f"--checkpoint {name} lies before it: give a newer one, or name an archive node with "
            "--bootstrap"
        )
    return ArrivalRefused(
        f"no peer that was asked shows the end of epoch {trusted.epoch}, which --checkpoint {name} "
        "names: it is certified one epoch later; check the number, or name other peers with "
        "--bootstrap"
    )
