"""The files of the artifact store: where an artifact lies, and the blocking work on it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from p2pnode.storage.disk import PRIVATE_FOLDER, disk_errors, sync_folder, write_durably
from p2pnode.storage.errors import ArtifactMissing, DamagedData

DIGEST_BYTES = 32
CHUNK_BYTES = 1024 * 1024
"""Bytes hashed at a time, so that no artifact has to fit into memory to be checked."""
INCOMING = "incoming"
"""Folder of unfinished files; emptied at each start."""


def artifact_digest(content: bytes) -> bytes:
    """The name of an artifact: the 32-byte BLAKE2b digest of its bytes."""
    return blake2b(content, digest_size=DIGEST_BYTES).digest()


def artifact_path(folder: Path, digest: bytes) -> Path:
    """Where an artifact lies: two characters of its name make the folder, the rest the file."""
    assert len(digest) == DIGEST_BYTES, "a digest has 32 bytes"
    name = digest.hex()
    return folder / name[:2] / name[2:]


def prepare_folder(folder: Path) -> list[tuple[bytes, int]]:
    """Creates the folder, drops unfinished files, and lists what is there.

    Returns:
        Digest and size of every artifact, the one unused for longest first.

    Raises:
        StorageFailed: The disk refused.
    """
    with disk_errors():
        incoming = folder / INCOMING
        incoming.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        for leftover in incoming.iterdir():
            leftover.unlink()
        found = sorted(_artifacts(folder))
    return [(digest, size_bytes) for _, digest, size_bytes in found]


def _artifacts(folder: Path) -> Iterator[tuple[int, bytes, int]]:
    for path in folder.glob("??/*"):
        with suppress(ValueError):
            digest = bytes.fromhex(path.parent.name + path.name)
            if len(digest) == DIGEST_BYTES:
                status = path.stat()
                yield status.st_mtime_ns, digest, status.st_size


def write_artifact(folder: Path, digest: bytes, content: bytes, temporary: Path) -> None:
    """Stores an artifact as a whole or not at all.

    Raises:
        StorageFailed: The disk refused.
    """
    path = artifact_path(folder, digest)
    _make_parent(path)
    write_durably(path, content, temporary)


def admit_file(folder: Path, digest: bytes, received: Path) -> None:
    """Makes a received file an artifact if its content has the promised digest.

    Raises:
        DamagedData: It has not; the received file is gone.
        StorageFailed: The disk refused.
    """
    with disk_errors():
        matches = file_digest(received) == digest
        if not matches:
            received.unlink()
            raise DamagedData("the received artifact", None, digest)
        with received.open("rb") as stream:
            os.fsync(stream.fileno())
        path = artifact_path(folder, digest)
        _make_parent(path)
        received.replace(path)
    sync_folder(path.parent)


def _make_parent(path: Path) -> None:
    with disk_errors():
        if not path.parent.exists():
            path.parent.mkdir(PRIVATE_FOLDER, exist_ok=True)
            sync_folder(path.parent.parent)


def file_digest(path: Path) -> bytes:
    """The digest of a file's content, in bounded memory."""
    state = blake2b(digest_size=DIGEST_BYTES)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            state.update(chunk)
    return state.digest()


def read_artifact(folder: Path, digest: bytes) -> bytes:
    """The whole content of an artifact, checked.

    Raises:
        ArtifactMissing: There is no such file.
        DamagedData: Its content has another digest.
        StorageFailed: The disk refused.
    """
    path = artifact_path(folder, digest)
    with _existing(digest):
        content = path.read_bytes()
        os.utime(path)
    if artifact_digest(content) != digest:
        raise DamagedData("an artifact", None, digest)
    return content


def check_artifact(folder: Path, digest: bytes) -> None:
    """Checks an artifact in bounded memory, and marks it as used now.

    Raises:
        ArtifactMissing: There is no such file.
        DamagedData: Its content has another digest.
        StorageFailed: The disk refused.
    """
    path = artifact_path(folder, digest)
    with _existing(digest):
        os.utime(path)
        if file_digest(path) != digest:
            raise DamagedData("an artifact", None, digest)


def read_page(folder: Path, digest: bytes, offset: int, length: int) -> bytes:
    """Part of an artifact, unchecked; shorter at its end.

    Raises:
        ArtifactMissing: There is no such file.
        StorageFailed: The disk refused.
    """
    with _existing(digest), artifact_path(folder, digest).open("rb") as stream:
        return os.pread(stream.fileno(), length, offset)


@contextmanager
def _existing(digest: bytes) -> Iterator[None]:
    with disk_errors():
        try:
            yield
        except FileNotFoundError as error:
            raise ArtifactMissing(digest) from error


def remove_artifact(folder: Path, digest: bytes) -> None:
    """Deletes an artifact; one that is gone already is fine.

    Raises:
        StorageFailed: The disk refused.
    """
    with disk_errors():
        artifact_path(folder, digest).unlink(missing_ok=True)
