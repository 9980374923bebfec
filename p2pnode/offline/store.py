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
from protocol.ledger.block import stored_digest
from protocol.messages import Genesis


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
        with open_readonly(folder, stored_digest) as journal:
            yield Store(genesis, journal)
    except JournalMissing as missing:
        raise BadInput(str(missing)) from missing
    except DamagedData:
        raise
    except StorageError as error:
        raise Unreadable(str(error)) from error
