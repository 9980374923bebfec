"""Fetches the chain of epoch certificates and verifies it, batch by batch, from whoever has it.

While a batch is verified in a thread the next one is on its way. Whoever sends a certificate that
does not follow is asked no more; what it sent before that was proven and stays.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio

from p2pnode.arrival.asking import PeerLied
from p2pnode.arrival.company import Company
from p2pnode.arrival.progress import Progress
from p2pnode.arrival.wire import CERTIFICATES_BYTES, CERTIFICATES_MAX, Standing
from p2pnode.network import NetworkError, RequestRefused
from protocol.errors import Reason, Rejected
from protocol.ledger.certificate_chain import CertificateChain
from protocol.ledger.certified import CERTIFICATE_BYTES_MAX
from protocol.units import Epoch

VERIFIED_AT_ONCE: Final = 64
"""Certificates between two looks at the clock: progress is shown after each."""

Keep = Callable[[Epoch, Sequence[bytes]], Awaitable[None]]
"""Takes proven certificates: the first one's epoch, and the bytes of consecutive ones."""


class HistoryForked(Exception):  # noqa: N818  what was found, with what to do about it
    """Two certificates of one epoch are equally good: a third of a committee signed both."""


class ChainFetch:
    """Brings one chain as far as anybody can prove it.

    Args:
        company: Whom to ask.
        chain: What is proven so far; it grows.
        keep: Told of each proven certificate before the next batch is looked at.
        progress: Told how far it is.

    Attributes:
        contradictions: Who showed another end than the one that the operator trusts.
    """

    def __init__(
        self, company: Company, chain: CertificateChain, keep: Keep, progress: Progress
    ) -> None:
        self.contradictions: dict[bytes, str] = {}
        self._company = company
        self._chain = chain
        self._keep = keep
        self._progress = progress
        self._stuck: dict[bytes, int] = {}
        """Who did not give the certificate of an epoch that it should have: it may have a gap."""
        self._scant: dict[bytes, int] = {}
        """How often a peer gave less than it was asked for and could carry: others come first."""

    async def run(self) -> dict[bytes, Standing]:
        """Fetches until nobody has more; returns what the peers had at last.

        Raises:
            HistoryForked: A peer proves another end of the newest epoch.
        """
        while True:
            standings = await self._company.survey()
            account = self._most_useful(standings)
            if account is None:
                await self._compare(standings)
                return standings
            await self._follow(account, standings[account].newest_certificate)

    def _most_useful(self, standings: dict[bytes, Standing]) -> bytes | None:
        """Names who has the certificate that comes next, and the most after it.

        Among those who were never scant: else one peer that gives a certificate at a time, each as
        late as it may, would hold a newcomer up for days, whatever all others have.
        """
        wanted = self._chain.next_epoch
        useful = [
            (self._scant.get(account, 0), -one.newest_certificate, account)
            for account, one in standings.items()
            if one.first_certificate <= wanted <= one.newest_certificate
            and self._stuck.get(account) != wanted
        ]
        return min(useful)[-1] if useful else None

    async def _follow(self, account: bytes, newest: int) -> None:
        """Takes what one peer has, until it ends, fails, lies or is scant."""
        first, before = self._chain.next_epoch, self._scant.get(account, 0)
        batch: Sequence[bytes] = await self._fetched(account, first, newest)
        while batch and self._scant.get(account, 0) == before:
            upcoming: list[Sequence[bytes]] = []
            async with trio.open_nursery() as nursery:
                after = first + len(batch)
                nursery.start_soon(self._prefetch, account, after, newest, upcoming)
                if not await self._take(account, batch, newest):
                    nursery.cancel_scope.cancel()
                    return
            first, batch = Epoch(after), upcoming[0]
        await self._take(account, batch, newest)

    async def _prefetch(
        self, account: bytes, first: int, newest: int, upcoming: list[Sequence[bytes]]
    ) -> None:
        upcoming.append(await self._fetched(account, first, newest))

    async def _fetched(self, account: bytes, first: int, newest: int) -> Sequence[bytes]:
        """Asks for the next batch; an empty one ends the work with this peer."""
        if first > newest or not self._company.may_ask(account):
            return ()
        count = min(CERTIFICATES_MAX, newest - first + 1)
        try:
            batch = await self._company.asking.certificates(account, first, count)
            if len(batch) < count and _has_room(batch):
                self._scant[account] = self._scant.get(account, 0) + 1
            return batch
        except PeerLied as lie:
            self._company.ban(account, lie)
        except RequestRefused:
            self._stuck[account] = first
        except NetworkError as failure:
            self._company.excuse(account, failure)
        return ()

    async def _take(self, account: bytes, batch: Sequence[bytes], newest: int) -> bool:
        """Verifies a batch and keeps what is proven; False when something in it is not."""
        for begin in range(0, len(batch), VERIFIED_AT_ONCE):
            part = batch[begin : begin + VERIFIED_AT_ONCE]
            first = self._chain.next_epoch
            refusal = await trio.to_thread.run_sync(_extended, self._chain, part)
            proven = self._chain.next_epoch - first
            if proven:
                await self._keep(first, part[:proven])
                self._progress.chain(first + proven - 1, newest)
            if refusal is not None:
                self._refuse(account, refusal)
                return False
        return True

    def _refuse(self, account: bytes, refusal: Rejected) -> None:
        lie = PeerLied(f"its certificate of epoch {self._chain.next_epoch} proves none: {refusal}")
        if refusal.reason is Reason.UNTRUSTED_END:
            self.contradictions[account] = refusal.detail
            lie = PeerLied(f"its chain contradicts the trusted checkpoint: {refusal.detail}")
        self._company.ban(account, lie)

    async def _compare(self, standings: dict[bytes, Standing]) -> None:
        """Looks whether all tell of one end of the newest epoch."""
        newest = self._chain.newest
        if newest is None:
            return
        for account, one in standings.items():
            if not one.first_certificate <= newest.epoch <= one.newest_certificate:
                continue
            shown = await self._fetched(account, newest.epoch, newest.epoch)
            try:
                is_forked = bool(shown) and self._chain.contradicts(shown[0])
            except Rejected as refusal:
                self._refuse(account, refusal)
                continue
            if is_forked:
                raise HistoryForked(
                    f"two ends of epoch {newest.epoch} are certified, one of them by "
                    f"{account.hex()}: more than a third of its committee signed both. Ask people "
                    "that you trust which one is right, and start in a fresh folder with "
                    "--checkpoint EPOCH:HASH"
                )


def _has_room(raws: Sequence[bytes]) -> bool:
    """Whether one more certificate would have fitted into an answer, however large."""
    return sum(map(len, raws)) + CERTIFICATE_BYTES_MAX <= CERTIFICATES_BYTES


def _extended(chain: CertificateChain, raws: Sequence[bytes]) -> Rejected | None:
    """Takes certificates up to the first that is refused; returns why it was."""
    try:
        for raw in raws:
            chain.extend(raw)
    except Rejected as refusal:
        return refusal
    return None
