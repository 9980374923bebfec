"""A node's data folder opened for looking only, also beside the running node."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from p2pnode.cli.endings import BadInput
from p2pnode.genesis import read_genesis
from p2pnode.offline.findings import Unreadable
from p2pnode.storage import (
    DamagedData,
    JournalMissing,
    JournalReader,
    StorageError,
    layout,
    open_readonly,
)
from protocol.encoding import decode, digest_of
from protocol.errors import Rejected
from protocol.messages import Block, Genesis, SignedBlock, content_of
from protocol.signing import BLOCK


@dataclass(frozen=True, slots=True)
class Store:
    """What a node keeps of its ledger."""

    genesis: Genesis
    journal: JournalReader


@contextmanager
def opened_store(folder: Path) -> Iterator[Store]:
    """Opens the ledger of a data folder.

    Raises:
        BadInput: There is no node's data in this folder.
        Unreadable: The disk refused, or the store cannot be read at all.
        DamagedData: Something in it is not what was written.
    """
    paths = layout(folder)
    if not paths.genesis.is_file():
        raise BadInput(f"{folder} is no data folder of a node: name one with --data-dir")
    genesis = read_genesis(paths.genesis)
    try:
        with open_readonly(folder, _block_digest) as journal:
            yield Store(genesis, journal)
    except JournalMissing as missing:
        raise BadInput(str(missing)) from missing
    except DamagedData:
        raise
    except StorageError as error:
        raise Unreadable(str(error)) from error


def _block_digest(raw: bytes) -> bytes:
    """Digest under which a block is stored; of bytes that are no whole block none that matches."""
    try:
        signed = decode(raw, SignedBlock, len(raw))
        body = decode(signed.body, Block, len(raw))
    except Rejected:
        return b""
    if body.content != content_of(signed.operations):
        return b""
    return digest_of(BLOCK, signed.body)
