"""The peers that a newcomer asks: what each says it has, and who is asked no more."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog
import trio

from p2pnode.arrival.asking import Asking, PeerLied
from p2pnode.arrival.wire import Standing
from p2pnode.network import NetworkError

PEERS_MAX: Final = 16
"""Peers asked for what they have: more would not make it quicker."""
FAILURES_MAX: Final = 3
"""Questions that a peer may leave unanswered in one arrival."""

log = structlog.get_logger(__name__)


class Company:
    """Whom to ask.

    Args:
        asking: Puts the questions.
        accounts: Names the peers that can be asked now.
        epochs_max: More epochs than can have ended since genesis; a peer that claims them lies.

    Attributes:
        asking: As given.
        liars: Who is not asked again, and why.
    """

    def __init__(
        self, asking: Asking, accounts: Callable[[], Sequence[bytes]], epochs_max: int
    ) -> None:
        self.asking = asking
        self.liars: dict[bytes, str] = {}
        self._accounts = accounts
        self._epochs_max = epochs_max
        self._failures: dict[bytes, int] = {}

    def ban(self, account: bytes, lie: PeerLied) -> None:
        """Asks a peer no more, whatever else it has."""
        self.liars[account] = str(lie)
        log.warning("peer_lied", account=account.hex(), detail=str(lie), consequence="not asked")

    def excuse(self, account: bytes, failure: NetworkError) -> None:
        """Notes that a peer did not answer; after some times it is asked no more."""
        self._failures[account] = self._failures.get(account, 0) + 1
        log.debug("peer_silent", account=account.hex(), detail=str(failure))

    def may_ask(self, account: bytes) -> bool:
        """Whether a peer has neither lied nor been silent too often."""
        return account not in self.liars and self._failures.get(account, 0) < FAILURES_MAX

    async def survey(self) -> dict[bytes, Standing]:
        """Asks all peers at once what they have; who does not say is absent."""
        found: dict[bytes, Standing] = {}
        willing = [one for one in self._accounts() if self.may_ask(one)][:PEERS_MAX]
        async with trio.open_nursery() as nursery:
            for account in willing:
                nursery.start_soon(self._ask_standing, account, found)
        return dict(sorted(found.items()))

    async def _ask_standing(self, account: bytes, found: dict[bytes, Standing]) -> None:
        try:
            standing = await self.asking.standing(account)
            if standing.newest_certificate >= self._epochs_max:
                raise PeerLied(
                    f"it claims the end of epoch {standing.newest_certificate}, and no more than "
                    f"{self._epochs_max} can have ended since genesis, if this machine's date is "
                    "right"
                )
        except PeerLied as lie:
            self.ban(account, lie)
        except NetworkError as failure:
            self.excuse(account, failure)
        else:
            found[account] = standing
