"""Verifies a node's own store: every digest and checksum, and that its blocks give its finals."""

from collections.abc import Callable
from pathlib import Path

from p2pnode.offline.export_file import RecordedFinal
from p2pnode.offline.findings import BadEntry
from p2pnode.offline.ledger_audit import Audit
from p2pnode.offline.progress import shown_progress
from p2pnode.offline.replaying import Replay, Replayed
from p2pnode.offline.store import Store, opened_store
from p2pnode.storage import DamagedData, JournalReader
from protocol.messages import network_of
from protocol.units import Digest


def verify_store(folder: Path, *, checks_signatures: bool = False) -> Audit:
    """Verifies the store of a data folder, also beside the running node.

    The node checked every signature before it stored a block, and content digests show that
    nothing changed since; so signatures are checked again only when asked for.

    Raises:
        BadInput: The folder holds no node's data.
        Unreadable: The disk refused.
    """
    try:
        with opened_store(folder) as store:
            return _verify(store, checks_signatures)
    except DamagedData as damage:
        bad = BadEntry(damage.sequence or 0, "damaged", str(damage))
        return Audit(None, "", None, 0, bad)


def _verify(store: Store, checks_signatures: bool) -> Audit:
    journal = store.journal
    network = network_of(store.genesis)
    replay = Replay(store.genesis, _finals_of(journal), is_verifying=checks_signatures)
    replayed, first_bad, entries = None, None, 0
    with shown_progress("verifying") as progress:
        try:
            last = journal.last_final()  # before the blocks, which may go on growing
            for sequence, block in journal.blocks():
                if sequence != entries + 1:
                    detail = "it was dropped as damaged and has not come back from peers"
                    raise BadEntry(entries + 1, "dropped", detail)
                replay.take(sequence, block.raw)
                entries = sequence
                progress.show(entries, 0)
            replayed = _finish(replay, journal, last.index if last else 0)
        except DamagedData as damage:
            first_bad = BadEntry(damage.sequence or entries + 1, "damaged", str(damage))
        except BadEntry as bad:
            first_bad = bad
    return Audit(network, store.genesis.name, replayed, entries, first_bad)


def _finish(replay: Replay, journal: JournalReader, last: int) -> Replayed:
    """Ends the derivation, and reads what else the node has to remember."""
    replayed = replay.finish(last)
    journal.own_slots()
    journal.own_operations()
    journal.prepared_reveals()
    return replayed


def _finals_of(journal: JournalReader) -> Callable[[int], RecordedFinal | None]:
    def recorded(index: int) -> RecordedFinal | None:
        final = journal.final(index)
        if final is None:
            return None
        return RecordedFinal(index, Digest(final.digest), Digest(final.state_digest))

    return recorded
