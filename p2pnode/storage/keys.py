"""The node's secrets: one file, readable by its owner alone."""

import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from p2pnode.storage.disk import PRIVATE_FILE, disk_errors, sync_folder, write_new
from p2pnode.storage.errors import DamagedData, KeyFileExposed

SEED_BYTES = 32
TOKEN_BYTES = 32
_HEADER = b"p2pnode key 1\n"
_CHECKSUM_BYTES = 16
_FILE_BYTES = len(_HEADER) + 2 * SEED_BYTES + _CHECKSUM_BYTES
_FOREIGN_BITS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class NodeSeeds:
    """What the node's keys are derived from; never shown, logged or sent."""

    signing: bytes = field(repr=False)
    """32-byte Ed25519 seed; its public key is the node's account."""
    randomness: bytes = field(repr=False)
    """32-byte seed of the key for verifiable randomness."""


def load_or_create_seeds(path: Path) -> NodeSeeds:
    """Reads the secrets of a node, and makes them at its first start.

    Raises:
        KeyFileExposed: Other users may read the file.
        DamagedData: The file is not a key file, or was changed.
        StorageFailed: The disk refused.
    """
    with disk_errors():
        with suppress(FileNotFoundError):
            return _load(path)
        create_seeds(
            path, NodeSeeds(secrets.token_bytes(SEED_BYTES), secrets.token_bytes(SEED_BYTES))
        )
        return _load(path)


def load_or_create_token(path: Path) -> str:
    """Reads the secret of the programs' interface, and makes it at the first start.

    Raises:
        StorageFailed: The disk refused.
    """
    with disk_errors():
        if not path.exists() or not path.read_text().strip():
            path.touch(mode=PRIVATE_FILE)
            path.write_text(secrets.token_urlsafe(TOKEN_BYTES))
        return path.read_text().strip()


def create_seeds(path: Path, seeds: NodeSeeds) -> None:
    """Writes secrets under a temporary name first: no crash leaves half a key behind.

    A link, unlike a rename, never replaces a key that another process made meanwhile.
    """
    content = _HEADER + seeds.signing + seeds.randomness
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    write_new(temporary, content + _checksum(content))
    try:
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()
    sync_folder(path.parent)


def _load(path: Path) -> NodeSeeds:
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_mode & _FOREIGN_BITS:
            raise KeyFileExposed(str(path))
        content = stream.read(_FILE_BYTES + 1)
    body = content[:-_CHECKSUM_BYTES]
    if len(content) != _FILE_BYTES or not content.startswith(_HEADER):
        raise DamagedData(f"the key file {path}")
    if _checksum(body) != content[-_CHECKSUM_BYTES:]:
        raise DamagedData(f"the key file {path}")
    seeds = body[len(_HEADER) :]
    return NodeSeeds(seeds[:SEED_BYTES], seeds[SEED_BYTES:])


def _checksum(content: bytes) -> bytes:
    return blake2b(content, digest_size=_CHECKSUM_BYTES).digest()
