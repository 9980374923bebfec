"""Verifies a node's own store: every digest and checksum, and that its blocks give its finals."""

from collections.abc import Callable, Iterator
from pathlib import Path

from p2pnode.arrival.store import is_whole
from p2pnode.offline.export_file import RecordedFinal
from p2pnode.offline.findings import BadEntry
from p2pnode.offline.ledger_audit import Audit
from p2pnode.offline.progress import shown_progress
from p2pnode.offline.replaying import Replay
from p2pnode.offline.store import Store, opened_store
from p2pnode.restoring import Begun, begin
from p2pnode.storage import DamagedData, JournalReader, StoredBlock
from protocol.units import Digest


def verify_store(folder: Path) -> Audit:
    """Verifies the store of a data folder, also beside the running node.

    One without its first blocks is verified from its newest snapshot on, which the others have to
    go on from.

    Signatures are checked once more: the digest under which a block is stored covers what was
    signed, but not the signature, and a node with a damaged one could not show it to anybody.

    Raises:
        BadInput: The folder holds no node's data.
        Unreadable: The disk refused.
    """
    try:
        with opened_store(folder) as store:
            return _verify(store)
    except DamagedData as damage:
        bad = BadEntry(damage.sequence or 0, "damaged", str(damage))
        return Audit(None, None, bad)


def _verify(store: Store) -> Audit:
    if not is_whole(store.journal):
        replay, begun = begin_late(store)
    else:
        replay, begun = Replay(store.genesis, finals_of(store.journal)), Begun()
    first_bad = None
    try:
        replay_journal(store.journal, replay, begun)
        _read_own(store.journal)
    except BadEntry as bad:
        first_bad = bad
    return Audit(store.genesis, replay.summary(), first_bad)


def begin_late(store: Store) -> tuple[Replay, Begun]:
    """Begins at the newest snapshot of a store that is intact, or at genesis.

    Raises:
        SnapshotLost: None is, and the blocks that they stood for are gone.
    """
    recorded = finals_of(store.journal)
    return begin(store.journal, lambda at: Replay(store.genesis, recorded, snapshot=at))


def replay_journal(journal: JournalReader, replay: Replay, begun: Begun) -> None:
    """Derives everything from the blocks of a store.

    Args:
        journal: The store.
        replay: A derivation that begins where `begun` says.
        begun: Which blocks are left out.

    Raises:
        BadEntry: with the first thing wrong.
        DamagedData: in what is no block.
    """
    entries = begun.after_sequence
    try:
        last = journal.last_final()  # before the blocks, which may go on growing
        for sequence, block in _shown_blocks(journal, entries):
            entries += 1
            if sequence != entries:
                detail = "it was dropped as damaged and has not come back from peers"
                raise BadEntry(entries, "dropped", detail)
            if block.epoch >= begun.epoch:
                replay.take(sequence, block.raw)
        replay.finish(last.index if last else 0)
    except DamagedData as damage:
        raise BadEntry(damage.sequence or entries, "damaged", str(damage)) from damage


def _shown_blocks(journal: JournalReader, after: int) -> Iterator[tuple[int, StoredBlock]]:
    with shown_progress("verifying") as progress:
        for sequence, block in journal.blocks(after):
            yield sequence, block
            progress.show(sequence, 0)


def _read_own(journal: JournalReader) -> None:
    """Reads what else the node must not forget; each row has a checksum."""
    journal.own_slots()
    journal.own_operations()
    journal.prepared_reveals()


def finals_of(journal: JournalReader) -> Callable[[int], RecordedFinal | None]:
    """Gives the finals that a store has recorded, by index."""

    def recorded(index: int) -> RecordedFinal | None:
        final = journal.final(index)
        if final is None:
            return None
        return RecordedFinal(index, Digest(final.digest), Digest(final.state_digest))

    return recorded
