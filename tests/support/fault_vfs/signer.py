"""A node's habits on a journal, and the promises that it may not break.

It signs the slot after the last one that it remembers, makes block, slot, operation and commit
durable in one batch, and sends only then. What it has sent is remembered here, outside the disk.
"""

from dataclasses import dataclass, field
from random import Random

from p2pnode.storage import (
    FinalCommit,
    Journal,
    JournalRecord,
    OwnOperation,
    OwnSlot,
    PreparedReveal,
    StorageFailed,
    StoredBlock,
)
from tests.p2pnode.storage.builders import digest_of

RETRIES = 3
"""How often a node in this model repeats a write that was refused."""


class PromiseBroken(AssertionError):  # noqa: N818  what happened
    """The journal lost what it had acknowledged, or let a slot be signed twice."""


@dataclass(slots=True)
class Signer:
    """What one account has sent, and what its journal has acknowledged."""

    chance: Random
    sent: dict[int, bytes] = field(default_factory=dict)
    """The block that everybody knows of, for each round."""
    acknowledged: list[JournalRecord] = field(default_factory=list)
    made: int = 0
    refused: int = 0
    """Writes that the disk refused; some were repeated."""

    def check(self, journal: Journal) -> None:
        """Compares a journal with what it promised.

        Raises:
            PromiseBroken: Something acknowledged is gone, or a batch is there by half.
        """
        blocks = {block.digest for _, block in journal.blocks()}
        slots = {(slot.round, slot.digest) for slot in journal.own_slots()}
        operations = {one.identifier for one in journal.own_operations()}
        reveals = {one.job for one in journal.prepared_reveals()}
        last = journal.last_final()
        if {digest for _, digest in slots} != blocks or len(operations) != len(blocks):
            raise PromiseBroken("half of a batch is there")
        for record in self.acknowledged:
            match record:
                case StoredBlock(digest=digest):
                    is_there = digest in blocks
                case OwnSlot(round=round_, digest=digest):
                    is_there = (round_, digest) in slots
                case OwnOperation(identifier=identifier):
                    is_there = identifier in operations
                case PreparedReveal(job=job):
                    is_there = job in reveals
                case FinalCommit(index=index):
                    is_there = last is not None and last.index >= index
                case _:
                    raise AssertionError(f"the model writes no {record}")
            if not is_there:
                raise PromiseBroken(f"{type(record).__name__} was acknowledged and is lost")

    async def sign(self, journal: Journal) -> bool:
        """Signs the next slot; returns False when the journal kept refusing.

        Raises:
            PromiseBroken: The slot was signed and sent before, as another block.
        """
        slots = journal.own_slots()
        round_ = 1 + max((slot.round for slot in slots), default=0)
        batch = self._batch(round_)
        for _ in range(RETRIES):
            try:
                await journal.append(batch)
                break
            except StorageFailed:
                self.refused += 1
        else:
            return False
        self.acknowledged += batch
        digest = digest_of(_content(batch))
        if self.sent.setdefault(round_, digest) != digest:
            raise PromiseBroken(f"round {round_} was signed twice")
        return True

    def _batch(self, round_: int) -> list[JournalRecord]:
        self.made += 1
        size_bytes = self.chance.choice((200, 900, 5_000))
        raw = f"{round_} {self.made} ".encode().ljust(size_bytes, b".")
        digest = digest_of(raw)
        named = digest_of(b"named" + digest)
        return [
            StoredBlock(digest, 0, round_, 0, raw),
            OwnSlot(0, round_, digest),
            OwnOperation(named, round_, raw[:100]),
            PreparedReveal(named, raw[:40]),
            FinalCommit(round_, digest_of(b"commit%d" % round_), digest_of(b"state%d" % round_)),
        ]


def _content(batch: list[JournalRecord]) -> bytes:
    (block,) = (one for one in batch if isinstance(one, StoredBlock))
    return block.raw
