"""Journal records with every argument defaulted, and an opened journal."""

import hashlib
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from p2pnode.storage import (
    FinalCommit,
    Journal,
    OwnOperation,
    OwnSlot,
    PreparedReveal,
    StoredBlock,
    open_journal,
)

NETWORK = b"n" * 32
ACCOUNT = b"a" * 32


def digest_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=32).digest()


def block(author: int = 0, round_: int = 1, variant: int = 0, size_bytes: int = 100) -> StoredBlock:
    raw = f"{author} {round_} {variant} ".encode().ljust(size_bytes, b".")
    return StoredBlock(digest_of(raw), author, round_, 0, raw)


def slot(round_: int = 1, content: bytes = b"block", epoch: int = 0) -> OwnSlot:
    return OwnSlot(epoch, round_, digest_of(content))


def operation(nonce: int = 0, content: bytes = b"operation") -> OwnOperation:
    raw = content + str(nonce).encode()
    return OwnOperation(digest_of(raw), nonce, raw)


def reveal(job: bytes = b"job", raw: bytes = b"result") -> PreparedReveal:
    return PreparedReveal(digest_of(job), raw)


def final(index: int = 1, content: bytes = b"commit", state: bytes = b"state") -> FinalCommit:
    return FinalCommit(index, digest_of(content + str(index).encode()), digest_of(state))


def journal_in(
    folder: Path, network: bytes = NETWORK, account: bytes = ACCOUNT, vfs: str = ""
) -> AbstractAsyncContextManager[Journal]:
    return open_journal(folder, network, account, hash_block=digest_of, vfs=vfs)
