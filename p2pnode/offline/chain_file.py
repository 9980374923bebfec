"""The file of a chain of epoch certificates: written from a node's store, checked by anyone.

A magic line, then frames of a length of four bytes and that many: genesis, and one certificate
after the other. Nothing in the file is believed: genesis has to be the one that the reader names,
and each certificate has to follow from the one before it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from p2pnode.cli.endings import BadInput, CannotWrite
from p2pnode.genesis import GENESIS_BYTES_MAX, open_genesis
from p2pnode.offline.findings import Unreadable
from p2pnode.offline.progress import shown_progress
from p2pnode.offline.store import Store, opened_store
from p2pnode.storage import DamagedData
from protocol.encoding import encode
from protocol.ledger.certified import CERTIFICATE_BYTES_MAX
from protocol.messages import Genesis

MAGIC: Final = b"p2pnode chain 1\n"
"""The digit is the version of the format."""
LENGTH_BYTES: Final = 4
READ_AT_ONCE: Final = 256


def write_chain(folder: Path, out: Path, since: int) -> tuple[int, int]:
    """Writes the certificates of a node's store, also beside the running node.

    Args:
        folder: The node's data folder.
        out: The file to write.
        since: The first epoch.

    Returns:
        The first epoch in the file and the number of certificates.

    Raises:
        BadInput: There is no node's data, or no certificate of the first epoch.
        CannotWrite: The file cannot be written.
        Unreadable: The disk refused.
    """
    try:
        with opened_store(folder) as store, _written(out) as stream:
            _frame(stream, encode(store.genesis))
            count = 0
            span = store.journal.certificate_span()
            for raw in _certificates(store, since):
                _frame(stream, raw)
                count += 1
    except DamagedData as damage:
        raise Unreadable(str(damage)) from damage
    if not count:
        out.unlink()
        have = f"; it keeps those of {span[0]} to {span[1]}" if span else ""
        raise BadInput(
            f"the node has no certificate of epoch {since}{have}: it is certified an epoch later, "
            "or the node began at a newer one or pruned this one, and --since has to name a newer"
        )
    return since, count


def _certificates(store: Store, since: int) -> Iterator[bytes]:
    with shown_progress("writing", unit="certificates") as progress:
        epoch = since
        while batch := store.journal.certificates(epoch, READ_AT_ONCE):
            yield from (one.raw for one in batch)
            epoch += len(batch)
            progress.show(epoch - since, 0)


@contextmanager
def _written(out: Path) -> Iterator[BinaryIO]:
    try:
        with out.open("wb") as stream:
            stream.write(MAGIC)
            yield stream
    except OSError as error:
        raise CannotWrite(f"{out}: {error.strerror}: choose another --out") from error


def _frame(stream: BinaryIO, packed: bytes) -> None:
    stream.write(len(packed).to_bytes(LENGTH_BYTES, "big"))
    stream.write(packed)


@contextmanager
def opened_chain(path: Path) -> Iterator[tuple[Genesis, Iterator[bytes]]]:
    """Opens a chain's file; certificates come one after the other and are not checked here.

    Raises:
        BadInput: The file cannot be read, is no chain, or ends inside a certificate.
        GenesisError: What stands for genesis in it is none.
    """
    try:
        with path.open("rb") as stream:
            if stream.read(len(MAGIC)) != MAGIC:
                raise BadInput(
                    f"{path} is no chain of this version: name what `ledger chain` wrote"
                )
            raw = _next_frame(stream, path, GENESIS_BYTES_MAX)
            if raw is None:
                raise BadInput(f"{path} has no genesis in it")
            yield open_genesis(raw), _frames(stream, path)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}: name what `ledger chain` wrote") from error


def _frames(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    while (raw := _next_frame(stream, path, CERTIFICATE_BYTES_MAX)) is not None:
        yield raw


def _next_frame(stream: BinaryIO, path: Path, limit_bytes: int) -> bytes | None:
    header = stream.read(LENGTH_BYTES)
    if not header:
        return None
    length = int.from_bytes(header, "big")
    raw = stream.read(length) if length <= limit_bytes else b""
    if len(header) < LENGTH_BYTES or len(raw) != length:
        raise BadInput(f"{path} is damaged: it ends inside a certificate, or names a wrong length")
    return raw
