"""Exports a node's ledger into one file that anyone can audit; works beside the running node."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from p2pnode.cli.endings import BadInput, CannotWrite
from p2pnode.offline.export_file import (
    Entry,
    ExportWriter,
    Header,
    RecordedFinal,
    RecordedPage,
    Trailer,
)
from p2pnode.offline.findings import Unreadable
from p2pnode.offline.progress import shown_progress
from p2pnode.offline.replaying import Replay
from p2pnode.offline.store import Store, opened_store
from p2pnode.storage import DamagedData
from protocol.encoding import encode
from protocol.messages import network_of
from protocol.units import Digest


def export_ledger(folder: Path, out: Path, *, with_state: bool = False) -> Trailer:
    """Writes all accepted blocks and recorded finals of a data folder into a file.

    The finals are read first: so the blocks, which may grow meanwhile, always suffice for them.

    Args:
        folder: The node's data.
        out: What to write.
        with_state: Writes every entry of the state after the last block, too. That takes as long
            as an audit does, since the state is derived anew.

    Raises:
        BadEntry: The store is wrong, so that no state follows from it.
        BadInput: The folder holds no node's data, or the file's folder does not exist.
        CannotWrite: The file cannot be written.
        Unreadable: The store is damaged, or lacks a block.
    """
    if not out.parent.is_dir():
        raise BadInput(f"there is no folder {out.parent}: create it or change --out")
    try:
        with opened_store(folder) as store, _replaced(out) as stream:
            return _write(store, stream, with_state=with_state)
    except DamagedData as damage:
        raise Unreadable(str(damage)) from damage


def _write(store: Store, stream: BinaryIO, *, with_state: bool) -> Trailer:
    header = Header(network_of(store.genesis), encode(store.genesis))
    if store.journal.pruned():
        raise Unreadable(
            "this node has pruned its first blocks, so it cannot show the history from genesis on: "
            "export from a node that keeps all"
        )
    writer = ExportWriter(stream, header)
    for final in _finals(store):
        writer.write(final)
    replay = Replay(store.genesis, lambda _: None) if with_state else None
    with shown_progress("exporting") as progress:
        for sequence, block in store.journal.blocks():
            if sequence != writer.entries + 1:
                raise Unreadable(
                    f"block {writer.entries + 1} was dropped as damaged and has not come back "
                    "from peers yet: export again later, or from another node"
                )
            writer.write(Entry(block.raw))
            if replay is not None:
                replay.take(writer.entries, block.raw)
            progress.show(writer.entries, 0)
    for page in replay.replica.state.encode_pages() if replay is not None else ():
        writer.write(RecordedPage(page))
    return writer.finish()


def _finals(store: Store) -> Iterator[RecordedFinal]:
    last = store.journal.last_final()
    for index in range(1, last.index + 1 if last else 1):
        final = store.journal.final(index)
        if final is not None:
            yield RecordedFinal(index, Digest(final.digest), Digest(final.state_digest))


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """Writes beside the file and puts the whole in its place at the end, or leaves no trace."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror}: choose another --out") from error
    finally:
        temporary.unlink(missing_ok=True)
