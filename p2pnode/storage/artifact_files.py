"""The files of the artifact store: where an artifact lies, and the blocking work on it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from p2pnode.storage.disk import PRIVATE_FOLDER, disk_errors, sync_folder, write_durably
from p2pnode.storage.errors import ArtifactMissing, DamagedData
from protocol.content import ChunkList, ContentHasher
from protocol.encoding import CHUNK_BYTES, content_digest
from protocol.units import DIGEST_BYTES

INCOMING = "incoming"
"""Folder of unfinished files; at a start only downloads that can go on stay."""


def artifact_path(folder: Path, digest: bytes) -> Path:
    """Where an artifact lies: two characters of its name make the folder, the rest the file."""
    assert len(digest) == DIGEST_BYTES, "a digest has 32 bytes"
    name = digest.hex()
    return folder / name[:2] / name[2:]


def find_artifacts(folder: Path) -> list[tuple[bytes, int]]:
    """Creates the folder and lists what is there.

    Returns:
        Digest and size of every artifact, the one unused for longest first.

    Raises:
        StorageFailed: The disk refused.
    """
    with disk_errors():
        (folder / INCOMING).mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
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
    """Makes a file whose chunks were all checked an artifact, durably.

    Raises:
        StorageFailed: The disk refused.
    """
    with disk_errors():
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
    if content_digest(content) != digest:
        raise DamagedData("an artifact", None, digest)
    return content


def list_chunks(folder: Path, digest: bytes) -> ChunkList:
    """Checks an artifact in bounded memory, marks it as used now, and lists its chunks.

    Raises:
        ArtifactMissing: There is no such file.
        DamagedData: Its content has another digest.
        StorageFailed: The disk refused.
    """
    path = artifact_path(folder, digest)
    hasher = ContentHasher()
    with _existing(digest), path.open("rb") as stream:
        os.utime(path)
        while piece := stream.read(CHUNK_BYTES):
            hasher.update(piece)
    chunks = hasher.chunks()
    if chunks.name != digest:
        raise DamagedData("an artifact", None, digest)
    return chunks


def read_chunk(folder: Path, digest: bytes, index: int) -> bytes:
    """One chunk of an artifact, unchecked; empty beyond its end.

    Raises:
        ArtifactMissing: There is no such file.
        StorageFailed: The disk refused.
    """
    with _existing(digest), artifact_path(folder, digest).open("rb") as stream:
        return os.pread(stream.fileno(), CHUNK_BYTES, index * CHUNK_BYTES)


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
