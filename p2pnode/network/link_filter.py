"""Faults of single links, for a laboratory that tests nodes without root rights.

A rule shapes what this node writes to a peer and, when it cuts, also what it reads. It works below
everything else, on the bytes of the encrypted connection, and so behaves as a network under TCP
does: nothing is torn out of the stream, and a cut holds bytes back until it heals or the connection
is given up. A lost packet is one that comes a retransmission later, and what was written after it
waits for it, too. Two nodes with the same rule see a round trip of twice the delay. A connection
costs nothing extra while no filter was ever set.
"""

import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from p2pnode.network.counters import Counters
from p2pnode.network.framing import STREAM_FAILURES
from p2pnode.network.link_rules import UNTOUCHED, LinkFilter, LinkRule

_RETRANSMISSION_SECONDS = 0.2
"""What TCP waits at least before it sends again; doubled each time, as in RFC 6298."""
_RETRANSMISSIONS_MAX = 6
_PACKET_BYTES = 1_400
"""A write is lost in part when one of its packets is."""
_POLL_SECONDS = 0.05
_HELD_LIMIT_BYTES = 1024 * 1024


class LinkShaper:
    """Applies one filter to any number of connections.

    Attributes:
        written: By account, how often this node wrote to a peer and how many bytes, gossip and
            everything else; since a filter was first set.
    """

    def __init__(self, nursery: trio.Nursery, counters: Counters) -> None:
        self.filter: LinkFilter | None = None
        self.counters = counters
        self.written: dict[bytes, tuple[int, int]] = {}
        self._nursery = nursery
        self._random = random.Random()  # noqa: S311 - faults need no secrecy

    def is_cut(self, account: bytes) -> bool:
        """Whether dials to this peer, and connections from it, are to be refused."""
        if self.filter is None or not is_closed(self.filter(account)):
            return False
        self.counters.add("faults_cut")
        return True

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

    def note(self, account: bytes, size_bytes: int) -> None:
        """Count one write to a peer."""
        count, total_bytes = self.written.get(account, (0, 0))
        self.written[account] = (count + 1, total_bytes + size_bytes)

    def seconds_on_the_way(self, rule: LinkRule, size_bytes: int) -> float:
        """How long a write travels under this rule, once the link has taken it."""
        extra_ms = self._random.uniform(0, rule.jitter_ms) if rule.jitter_ms else 0.0
        if rule.tail_ms:
            extra_ms += self._random.expovariate(1 / rule.tail_ms)
        return (rule.delay_ms + extra_ms) / 1000 + self._seconds_of_loss(rule, size_bytes)

    def _seconds_of_loss(self, rule: LinkRule, size_bytes: int) -> float:
        if not rule.loss:
            return 0.0
        attempts = max(self._losses(rule.loss) for _ in range(-(-size_bytes // _PACKET_BYTES) or 1))
        if attempts:
            self.counters.add("faults_lost", attempts)
        return _RETRANSMISSION_SECONDS * ((1 << attempts) - 1)

    def _losses(self, share: float) -> int:
        """How often in a row one packet is lost."""
        losses = 0
        while losses < _RETRANSMISSIONS_MAX and self._random.random() < share:
            losses += 1
        return losses


def is_closed(rule: LinkRule) -> bool:
    """Whether nothing that this node writes gets through."""
    return rule.cut or rule.mute


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
        self._free_at = 0.0
        self._changed = trio.Event()
        self._broken: BaseException | None = None

    async def write(self, data: bytes) -> None:
        """Take the bytes; they go out in order, when the rule lets them."""
        if self._broken is not None:
            raise trio.BrokenResourceError from self._broken
        self._shaper.note(self._account, len(data))
        rule = self._shaper.rule(self._account)
        if rule == UNTOUCHED and not self._held:
            await self._write(data)
            return
        while self._held_bytes > _HELD_LIMIT_BYTES and self._broken is None:  # noqa: ASYNC110
            await trio.sleep(_POLL_SECONDS)
        if is_closed(rule):
            self._shaper.counters.add("faults_cut")
        self._held.append((self._due(rule, len(data)), data))
        self._held_bytes += len(data)
        self._wake()
        await trio.lowlevel.checkpoint()

    async def read(self, count: int | None = None) -> bytes:
        """The next bytes of the session, not before the link is whole."""
        while self._shaper.rule(self._account).cut:  # noqa: ASYNC110
            await trio.sleep(_POLL_SECONDS)
        data = await self._read(count)
        while self._shaper.rule(self._account).cut:  # noqa: ASYNC110
            await trio.sleep(_POLL_SECONDS)
        return data

    async def run(self) -> None:
        """Send what is held, each piece at its time, until the session breaks."""
        while True:
            if not self._held:
                await self._changed.wait()
                continue
            due, data = self._held[0]
            await trio.sleep_until(due)
            while is_closed(self._shaper.rule(self._account)):  # noqa: ASYNC110
                await trio.sleep(_POLL_SECONDS)
            if not await self._send(data):
                return
            self._held.popleft()
            self._held_bytes -= len(data)

    def _due(self, rule: LinkRule, size_bytes: int) -> float:
        """When a write arrives: first it waits until the link has taken all before it."""
        begins = max(trio.current_time(), self._free_at)
        self._free_at = begins + (8 * size_bytes / rule.rate_bps if rule.rate_bps else 0.0)
        return self._free_at + self._shaper.seconds_on_the_way(rule, size_bytes)

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
