"""Performs the core's effects with the node's adapters: journal, network, runner, facts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

import structlog
import trio

from p2pnode.clock import NodeClock
from p2pnode.content import Content, ContentUnavailable
from p2pnode.driver import StoreRefused
from p2pnode.executions import Executions
from p2pnode.facts import FactLog, record_of
from p2pnode.network import Network, NetworkError
from p2pnode.snapshots import SnapshotKeeper
from p2pnode.storage import (
    Contradiction,
    FinalCommit,
    Journal,
    JournalRecord,
    OwnOperation,
    OwnSlot,
    PreparedReveal,
    StorageError,
    StoredBlock,
    StoredCertificate,
)
from protocol import effects as fx
from protocol.encoding import encode
from protocol.facts import BoundaryDisputed, CommitteeTooLight, OperationApplied
from protocol.units import MILLISECOND, Digest
from protocol.wire import BlockBatch

BLOCKS_TOPIC: Final = "blocks"
OPERATIONS_TOPIC: Final = "operations"
OUTPUT_BYTES_MAX: Final = 64 * 1024 * 1024
FETCH_ATTEMPTS: Final = 5
FETCH_PAUSE_SECONDS: Final = 2.0

_LOUD: Final = (
    fx.Halted,
    fx.SittingOut,
    fx.KeySeenElsewhere,
    fx.EquivocationSeen,
    BoundaryDisputed,
    CommitteeTooLight,
)
_QUIET: Final = (
    fx.BlockProposed,
    fx.CommitApplied,
    fx.OperationSeen,
    fx.PeerRefused,
    OperationApplied,
)

log = structlog.get_logger(__name__)


def topic_of(name: str, network: bytes) -> str:
    """Returns the gossip topic of one network, so that networks do not mix."""
    return f"p2pnode/{network.hex()[:16]}/{name}"


@dataclass(frozen=True, slots=True)
class WorldParts:
    """The adapters that effects are performed with."""

    journal: Journal
    network: Network
    content: Content
    facts: FactLog


class NodeWorld:
    """The real world of one driver.

    Attributes:
        executions: Set by the node once the driver exists, which the executions report to.
    """

    def __init__(
        self, parts: WorldParts, nursery: trio.Nursery, network_digest: bytes, clock: NodeClock
    ) -> None:
        self._journal = parts.journal
        self._snapshots = SnapshotKeeper(parts.journal)
        self._network = parts.network
        self._content = parts.content
        self._facts = parts.facts
        self._nursery = nursery
        self._blocks_topic = topic_of(BLOCKS_TOPIC, network_digest)
        self._operations_topic = topic_of(OPERATIONS_TOPIC, network_digest)
        self._listeners: list[Callable[[fx.Fact], None]] = []
        self._clock = clock
        self.executions: Executions | None = None

    def listen(self, listener: Callable[[fx.Fact], None]) -> None:
        """Has every later fact told to a listener, at once and in order."""
        self._listeners.append(listener)

    async def keep(self, records: tuple[fx.Persist, ...]) -> None:
        """Makes records durable in one transaction.

        Raises:
            StoreRefused: nothing was written; trying again may help.
            Contradiction: the store holds something else for a slot or a commit.
        """
        try:
            await self._journal.append([_stored(record) for record in records])
        except Contradiction:
            raise  # trying again cannot help: this store and this core disagree on what was signed
        except StorageError as error:
            raise StoreRefused(str(error)) from error

    async def perform(self, effect: fx.Effect) -> None:
        """Does one effect; what takes time becomes a task of its own."""
        match effect:
            case fx.GossipBlock(raw):
                await self._publish(self._blocks_topic, raw)
            case fx.GossipOperations(raw):
                await self._publish(self._operations_topic, raw)
            case fx.Send(peer, raw):
                self._network.send(peer, raw)
            case fx.SendStoredBlocks():
                self._nursery.start_soon(self._send_stored, effect)
            case (
                fx.FetchContent()
                | fx.Execute()
                | fx.OpenTrace()
                | fx.KeepStep()
                | fx.StopExecution()
            ):
                self._compute(effect)
            case fx.PersistSnapshot():
                self._nursery.start_soon(self._snapshots.keep, effect)
            case fx.FetchOutput():
                self._nursery.start_soon(self._fetch_output, effect)
            case (
                fx.PersistBlock()
                | fx.PersistSlot()
                | fx.PersistOperation()
                | fx.PersistReveal()
                | fx.PersistCommit()
                | fx.PersistCertificate()
                | fx.WakeAt()
                | fx.Report()
            ):
                raise AssertionError("the driver does this itself")
            case _:
                assert_never(effect)

    def _compute(self, effect: fx.Computing) -> None:
        executions = self.executions
        assert executions is not None, "the node sets the executions before it starts"
        match effect:
            case fx.FetchContent():
                self._nursery.start_soon(executions.expect, effect)
            case fx.Execute():
                self._nursery.start_soon(executions.execute, effect)
            case fx.OpenTrace():
                self._nursery.start_soon(executions.witness.open_trace, effect)
            case fx.KeepStep():
                self._nursery.start_soon(executions.witness.keep_step, effect)
            case fx.StopExecution(job):
                executions.stop(job)
            case _:
                assert_never(effect)

    def report(self, fact: fx.Fact) -> None:
        """Counts, remembers and logs a fact."""
        self._facts.add(fact, self._clock.now() // MILLISECOND)
        for listener in self._listeners:
            listener(fact)
        level = logging.DEBUG if isinstance(fact, _QUIET) else logging.INFO
        level = logging.ERROR if isinstance(fact, _LOUD) else level
        if logging.getLogger(__name__).isEnabledFor(level):
            record = record_of(fact)
            log.log(level, record.pop("fact"), **record)

    async def _publish(self, topic: str, raw: bytes) -> None:
        try:
            await self._network.publish(topic, raw)
        except NetworkError as error:
            log.warning("gossip_failed", topic=topic, detail=str(error))

    async def _send_stored(self, effect: fx.SendStoredBlocks) -> None:
        left = effect.limit_bytes
        raws: dict[bytes, None] = {}
        for digest in effect.wanted:
            block = await self._stored_block(digest)
            if block is not None and left >= len(block.raw):
                raws[block.raw] = None
                left -= len(block.raw)
        if effect.have:
            for block in await self._stored_beyond(effect, left):
                raws[block.raw] = None
        if raws:
            self._network.send(effect.peer, encode(BlockBatch(tuple(raws))))

    async def _stored_block(self, digest: Digest) -> StoredBlock | None:
        try:
            return await self._journal.block(digest)
        except StorageError as error:
            log.error("stored_block_unreadable", detail=str(error))
            return None

    async def _stored_beyond(
        self, effect: fx.SendStoredBlocks, limit_bytes: int
    ) -> tuple[StoredBlock, ...]:
        try:
            return await self._journal.blocks_beyond(effect.epoch, effect.have, limit_bytes)
        except StorageError as error:
            log.error("stored_blocks_unreadable", detail=str(error))
            return ()

    async def _fetch_output(self, effect: fx.FetchOutput) -> None:
        for attempt in range(FETCH_ATTEMPTS):
            await trio.sleep(FETCH_PAUSE_SECONDS * attempt)
            try:
                await self._content.bring_output(
                    effect.job, effect.output, effect.holders, OUTPUT_BYTES_MAX
                )
                log.info("result_here", job=effect.job.hex(), output=effect.output.hex())
                return
            except ContentUnavailable as error:
                log.warning("result_unavailable", job=effect.job.hex(), detail=str(error))
        if self.executions is not None:
            await self.executions.miss(effect.job)


def _stored(record: fx.Persist) -> JournalRecord:
    match record:
        case fx.PersistBlock(digest, epoch, block_round, author, raw):
            return StoredBlock(digest, author=author, round=block_round, epoch=epoch, raw=raw)
        case fx.PersistSlot(epoch=epoch, round=block_round, digest=digest):
            return OwnSlot(epoch=epoch, round=block_round, digest=digest)
        case fx.PersistOperation(identifier=identifier, nonce=nonce, raw=raw):
            return OwnOperation(identifier=identifier, nonce=nonce, raw=raw)
        case fx.PersistReveal(job=job, raw=raw):
            return PreparedReveal(job=job, raw=raw)
        case fx.PersistCommit(index=index, digest=digest, state_digest=state_digest):
            return FinalCommit(index=index, digest=digest, state_digest=state_digest)
        case fx.PersistCertificate(epoch=epoch, raw=raw):
            return StoredCertificate(epoch, raw)
