"""The node's twin of the simulator's world: one task that steps the core and obeys it.

For each batch of events: step all, make durable what must be, then send. Whatever waits (the
network, the disk, a run) is a task elsewhere that puts an event into the inbox when it is done.

While the store refuses, nothing is signed, and what was decided waits. Peers' questions for blocks
are answered meanwhile, with what is durable; other gossip is dropped, since it can be fetched
later, and everything else is put off until the store is back.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog
import trio

from p2pnode.clock import NodeClock
from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.errors import Rejected
from protocol.wire import BlockRequest, open_message

INBOX_EVENTS = 4_096
"""Events waiting for the core; gossip beyond it is dropped, since it can be fetched later."""
BATCH_EVENTS = 256
LAZY_RECORDS_MAX = 64
LAZY_SECONDS = 0.5
"""Other nodes' blocks are written together: they could be fetched again."""
LAZY = (fx.PersistBlock, fx.PersistCommit, fx.PersistCertificate)
RETRY_SECONDS = 1.0
DEFERRED_EVENTS_MAX = 1_024
"""Events put off while the store refuses; beyond it they stay in the inbox, whose senders wait."""

log = structlog.get_logger(__name__)


Step = Callable[[ev.Event, int], tuple[fx.Effect, ...]]
"""What `Core.step` is: an event and the time since genesis in, effects out."""


class StoreRefused(Exception):  # noqa: N818  the store's answer, as the driver knows it
    """The store could not make something durable; trying again may work."""


class World(Protocol):
    """What the driver asks of the node's adapters; none of it waits for the core."""

    async def keep(self, records: tuple[fx.Persist, ...]) -> None:
        """Makes records durable, all or none.

        Raises:
            StoreRefused: nothing was written.
        """

    async def perform(self, effect: fx.Effect) -> None:
        """Does one effect that is neither a record, a wake time nor a report."""

    def report(self, fact: fx.Fact) -> None:
        """Takes note of a fact."""


class Driver:
    """Owns a running core: the only caller of `Core.step`.

    Args:
        core: The core.
        world: The adapters.
        clock: The time that the core is told.
        step: Steps the core in the place of its own method, as where a laboratory watches it.

    Attributes:
        dropped: Gossip that found no place.
        store_failure: Why the store refuses now, and what to do; empty while it works.
        unreported: What the core has done and the store has not confirmed yet.
    """

    def __init__(
        self, core: Core, world: World, clock: NodeClock, step: Step | None = None
    ) -> None:
        self.core = core
        self._step = step if step is not None else core.step
        self.clock = clock
        self._world = world
        self._send, self._inbox = trio.open_memory_channel[ev.Event](INBOX_EVENTS)
        self._wake_at = clock.now()
        self._lazy: list[fx.Persist] = []
        self._lazy_since = 0.0
        self._deferred: list[ev.Event] = []
        self._held: list[fx.Effect] = []
        self.dropped = 0
        self.store_failure = ""
        self.unreported: Sequence[fx.Fact] = ()

    async def put(self, event: ev.Event) -> None:
        """Hands an event to the core, waiting while the inbox is full."""
        await self._send.send(event)

    def put_nowait(self, event: ev.Event) -> bool:
        """Hands over an event that may be dropped; returns False when it was."""
        try:
            self._send.send_nowait(event)
        except trio.WouldBlock:
            self.dropped += 1
            return False
        return True

    async def run(self) -> None:
        """Steps the core until cancelled; what is unwritten then is written first."""
        try:
            while True:
                batch = await self._next_batch()
                effects: list[fx.Effect] = []
                for event in batch:
                    effects += self._step(event, self.clock.now())
                await self._obey(effects)
        finally:
            with trio.move_on_after(2) as scope:
                scope.shield = True
                await self._write_at_end()

    async def _next_batch(self) -> list[ev.Event]:
        """Waits for an event, or for the time that the core asked for."""
        batch = self._waiting()
        if batch:
            await trio.lowlevel.checkpoint()
            return batch
        with trio.move_on_after(self.clock.seconds_until(self._wake_at)):
            batch.append(await self._inbox.receive())
        return batch + self._waiting() or [ev.Tick()]

    def _waiting(self) -> list[ev.Event]:
        """Takes what is in the inbox already."""
        batch, self._deferred = self._deferred, []
        with contextlib.suppress(trio.WouldBlock):
            while len(batch) < BATCH_EVENTS:
                batch.append(self._inbox.receive_nowait())
        return batch

    async def _obey(self, effects: list[fx.Effect]) -> None:
        records: list[fx.Persist] = []
        facts: list[fx.Fact] = []
        actions: list[fx.Effect] = []
        for effect in effects:
            if isinstance(effect, fx.Persist):
                records.append(effect)
            elif isinstance(effect, fx.WakeAt):
                self._wake_at = effect.time
            elif isinstance(effect, fx.Report):
                facts.append(effect.fact)
            else:
                actions.append(effect)
        self.unreported = facts
        await self._persist(records)
        self.unreported = ()
        for fact in facts:
            self._world.report(fact)
        held, self._held = self._held, []
        for action in actions + held:
            await self._world.perform(action)

    async def _persist(self, records: list[fx.Persist]) -> None:
        """Writes at once what anything sent may depend on, the rest soon."""
        now = trio.current_time()
        if not self._lazy:
            self._lazy_since = now
        self._lazy += records
        urgent = any(not isinstance(one, LAZY) for one in records)
        is_old = bool(self._lazy) and now >= self._lazy_since + LAZY_SECONDS
        if urgent or is_old or len(self._lazy) >= LAZY_RECORDS_MAX:
            await self._write_until_done()

    async def _write_until_done(self) -> None:
        """Holds everything that depends on the store until the store has answered."""
        try:
            await self._write_lazy()
            return
        except StoreRefused as refusal:
            self.store_failure = str(refusal)
            log.error("store_failed", detail=self.store_failure, consequence="nothing is signed")
        await self._perform_harmless(self._step(ev.StoreFailed(), self.clock.now()))
        while True:
            with trio.move_on_after(RETRY_SECONDS):
                await self._serve_reads()
            try:
                await self._write_lazy()
                break
            except StoreRefused as refusal:
                self.store_failure = str(refusal)
        self.store_failure = ""
        log.info("store_recovered")
        self._deferred.insert(0, ev.StoreRecovered())

    async def _serve_reads(self) -> None:
        """Answers peers' questions for blocks for as long as it is let."""
        while len(self._deferred) < DEFERRED_EVENTS_MAX:
            event = await self._inbox.receive()
            if _is_question(event):
                with trio.CancelScope(shield=True):
                    effects = self._step(event, self.clock.now())
                    await self._perform_harmless(effects)
            elif isinstance(event, (ev.BlockReceived, ev.MessageReceived)):
                self.dropped += 1
            else:
                self._deferred.append(event)
        await trio.sleep_forever()

    async def _perform_harmless(self, effects: Iterable[fx.Effect]) -> None:
        """Does what depends on nothing unwritten, and keeps the rest for later."""
        for effect in effects:
            if isinstance(effect, fx.Persist):
                self._lazy.append(effect)
            elif isinstance(effect, fx.Report):
                self._world.report(effect.fact)
            elif isinstance(effect, fx.Send):
                await self._send_durable(effect)
            elif isinstance(effect, fx.SendStoredBlocks):
                await self._world.perform(effect)
            elif not isinstance(effect, fx.WakeAt):
                self._held.append(effect)

    async def _send_durable(self, message: fx.Send) -> None:
        """Sends a message unless it carries something own that is not durable; it may be lost."""
        if not any(raw in message.raw for raw in self._own_unwritten()):
            await self._world.perform(message)

    def _own_unwritten(self) -> list[bytes]:
        """What this node has signed or prepared since the store last answered."""
        slots = {one.digest for one in self._lazy if isinstance(one, fx.PersistSlot)}
        return [
            one.raw
            for one in self._lazy
            if isinstance(one, (fx.PersistOperation, fx.PersistReveal))
            or (isinstance(one, fx.PersistBlock) and one.digest in slots)
        ]

    async def _write_lazy(self) -> None:
        if self._lazy:
            records = tuple(self._lazy)
            await self._world.keep(records)
            del self._lazy[: len(records)]

    async def _write_at_end(self) -> None:
        """Writes what is unwritten; what the store refuses even now was never sent."""
        try:
            await self._write_lazy()
        except StoreRefused as refusal:
            log.error("store_failed", detail=str(refusal), consequence="stopped without writing")


def _is_question(event: ev.Event) -> bool:
    """Whether a peer only asks for blocks, which changes nothing here."""
    if not isinstance(event, ev.MessageReceived):
        return False
    try:
        return isinstance(open_message(event.raw), BlockRequest)
    except Rejected:
        return False
