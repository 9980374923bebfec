"""Faults of single links, for a laboratory that tests nodes without root rights.

A rule shapes what this node writes to a peer and, when it cuts, also what it reads. It works below
everything else, on the bytes of the encrypted connection, and so behaves as a network under TCP
does: nothing is torn out of the stream, a cut holds bytes back until it heals or the connection is
given up, and a lost packet is one that comes a retransmission later. Only the writer's side delays,
so two nodes with the same rule see a round trip of twice the delay. A connection costs nothing
extra while no filter was ever set.
"""

import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from p2pnode.network.framing import STREAM_FAILURES
from p2pnode.network.link_rules import UNTOUCHED, LinkFilter, LinkRule

_RETRANSMISSION_SECONDS = 0.2
_POLL_SECONDS = 0.05
_HELD_LIMIT_BYTES = 1024 * 1024


class LinkShaper:
    """Applies one filter to any number of connections."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.filter: LinkFilter | None = None
        self._nursery = nursery
        self._random = random.Random()  # noqa: S311 - faults need no secrecy

    def is_cut(self, account: bytes) -> bool:
        """Whether dials to this peer, and connections from it, are to be refused."""
        return self.filter is not None and self.filter(account).cut

    def attach(self, session: Any, account: bytes) -> None:  # noqa: ANN401  any session
        """Put the filter between one encrypted session and whatever uses it."""
        if getattr(session, "link_is_shaped", False):
            return
        session.link_is_shaped = True
        line = _ShapedLine(self, account, session.write, session.read)
        session.write = line.write
        session.read = line.read
        self._nursery.start_soon(line.run)

    def rule(self, account: bytes) -> LinkRule:
        """The rule for a peer at this moment."""
        return UNTOUCHED if self.filter is None else self.filter(account)

    def extra_seconds(self, rule: LinkRule) -> float:
        """How much later than at once a write under this rule arrives."""
        lost = rule.loss > 0 and self._random.random() < rule.loss
        return rule.delay_ms / 1000 + (_RETRANSMISSION_SECONDS if lost else 0.0)


class _ShapedLine:
    """The written bytes of one session that are still on their way, in order."""

    def __init__(
        self,
        shaper: LinkShaper,
        account: bytes,
        write: Callable[[bytes], Awaitable[None]],
        read: Callable[[int | None], Awaitable[bytes]],
    ) -> None:
        self._shaper = shaper
        self._account = account
        self._write = write
        self._read = read
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._changed = trio.Event()
        self._broken: BaseException | None = None

    async def write(self, data: bytes) -> None:
        """Take the bytes; they go out in order, when the rule lets them."""
        if self._broken is not None:
            raise trio.BrokenResourceError from self._broken
        rule = self._shaper.rule(self._account)
        if rule == UNTOUCHED and not self._held:
            await self._write(data)
            return
        while self._held_bytes > _HELD_LIMIT_BYTES and self._broken is None:  # noqa: ASYNC110
            await trio.sleep(_POLL_SECONDS)
        self._held.append((trio.current_time() + self._shaper.extra_seconds(rule), data))
        self._held_bytes += len(data)
        self._wake()
        await trio.lowlevel.checkpoint()

    async def read(self, count: int | None = None) -> bytes:
        """The next bytes of the session, not before the link is whole."""
        while self._shaper.rule(self._account).cut:  # noqa: ASYNC110
            await trio.sleep(_POLL_SECONDS)
        return await self._read(count)

    async def run(self) -> None:
        """Send what is held, each piece at its time, until the session breaks."""
        while True:
            if not self._held:
                await self._changed.wait()
                continue
            due, data = self._held[0]
            await trio.sleep_until(due)
            while self._shaper.rule(self._account).cut:  # noqa: ASYNC110
                await trio.sleep(_POLL_SECONDS)
            if not await self._send(data):
                return
            self._held.popleft()
            self._held_bytes -= len(data)

    async def _send(self, data: bytes) -> bool:
        try:
            await self._write(data)
        except STREAM_FAILURES as error:
            self._broken = error
            return False
        return True

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
