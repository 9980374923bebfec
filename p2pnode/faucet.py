"""Small gifts to newcomers of a test network, from an ordinary account and within caps."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import trio

from p2pnode.interfaces import ControlError
from p2pnode.network import Network, NetworkError, RequestRefused
from protocol.core import Core
from protocol.units import CREDIT

FAUCET_KIND: Final = "faucet"
GIFT: Final = 2_000 * CREDIT
"""Enough for the minimum stake and a few jobs."""
GIFTS_EACH: Final = 1
"""Per account and hour; the account is the peer's identity, so it cannot ask for others."""
GIFTS_AN_HOUR: Final = 100
"""To all accounts together, however many there are: keys cost nothing."""
SHARE_AN_HOUR: Final = 100
"""Nor more than this fraction (one part in so many) of what the faucet holds: a day of greed leaves
most of it. One gift an hour is always allowed."""
HOUR_SECONDS: Final = 3_600.0
ASK_SECONDS: Final = 10.0


Give = Callable[[bytes, int], Awaitable[bytes]]
"""Transfers credits to an account; raises `ControlError` when that cannot be done."""


class Faucet:
    """Answers askers when this node holds the network's faucet account."""

    def __init__(self, core: Core, give: Give) -> None:
        self._core = core
        self._give = give
        self._gifts: dict[bytes, list[float]] = {}

    def serve(self, network: Network) -> None:
        """Starts to answer."""
        network.serve(FAUCET_KIND, self._answer)

    async def _answer(self, account: bytes, payload: bytes) -> bytes:
        if self._core.genesis.faucet != self._core.account:
            raise RequestRefused("this node does not hold the network's faucet")
        now = trio.current_time()
        self._admit(account, now)
        try:
            await self._give(account, GIFT)
        except ControlError as error:
            if error.status != HTTPStatus.SERVICE_UNAVAILABLE:  # then it may be done yet
                self._gifts[account].remove(now)
            raise RequestRefused(error.message) from error
        return GIFT.to_bytes(8, "big")

    def _admit(self, account: bytes, now: float) -> None:
        """Counts a gift, or refuses it."""
        for known in list(self._gifts):
            self._gifts[known] = [at for at in self._gifts[known] if now - at < HOUR_SECONDS]
            if not self._gifts[known]:
                del self._gifts[known]
        if len(self._gifts.get(account, ())) >= GIFTS_EACH:
            raise RequestRefused("this account was given credits within the last hour")
        if sum(len(times) for times in self._gifts.values()) >= self._gifts_allowed():
            raise RequestRefused("the faucet has given all that it may within an hour: ask later")
        self._gifts.setdefault(account, []).append(now)

    def _gifts_allowed(self) -> int:
        """How many gifts an hour all askers together may have, at what the faucet holds now."""
        held = self._core.state.accounts.of(self._core.account).spendable
        return max(1, min(GIFTS_AN_HOUR, held // (SHARE_AN_HOUR * GIFT)))


async def ask_faucet(core: Core, network: Network) -> int:
    """Asks the faucet's holder, or else every neighbour, for a gift; returns its amount.

    Raises:
        RequestRefused: nobody gave, with the first reason.
    """
    faucet = core.genesis.faucet
    if faucet is None:
        raise RequestRefused("this network has no faucet: ask an account holder for a transfer")
    if faucet == core.account:
        raise RequestRefused(
            "this node holds the network's faucet itself: it gives to others, and you can spend "
            "its credits with `p2pnode transfer ACCOUNT AMOUNT`"
        )
    reasons = []
    for account in (faucet, *core.peers):
        try:
            raw = await network.request(account, FAUCET_KIND, b"", ASK_SECONDS)
            return int.from_bytes(raw[:8], "big")
        except NetworkError as error:
            reasons.append(str(error))
    raise RequestRefused(reasons[0] if reasons else "no peer to ask")
