"""How entries, buckets and branches are hashed: all that a root depends on.

Every kind of input has a domain of its own, so that a branch can never pass for a bucket.
"""

import hashlib
from typing import Final

from protocol.encoding import digest_of
from protocol.units import DIGEST_BYTES, Digest

WIDTH: Final = 16
"""Branches of an inner node: one for each value of four bits."""
DEPTH_MAX: Final = 2 * DIGEST_BYTES
"""Levels after which two different paths must have parted."""
ROW_BYTES: Final = 2 * DIGEST_BYTES
"""A bucket's row: the path of an entry, then its leaf."""
BUCKET_MAX: Final = 32
"""Rows of a bucket; one more splits it, so the tree's form follows from the entries alone."""
NO_BRANCH: Final = bytes(DIGEST_BYTES)
"""Stands for a branch without entries; no digest is ever all zeros."""


def path_of(key: bytes) -> bytes:
    """Places a key: its hash, read four bits at a time from the root on."""
    return hashlib.blake2b(key, digest_size=DIGEST_BYTES, person=b"tree path").digest()


def leaf_of(key: bytes, value: bytes) -> Digest:
    """Binds a value to its key."""
    return digest_of(b"tree leaf", key, value)


def bucket_digest(rows: bytes) -> Digest:
    """Hashes a bucket: rows ascending by path."""
    state = hashlib.blake2b(rows, digest_size=DIGEST_BYTES, person=b"tree bucket")
    return Digest(state.digest())


def branch_digest(branches: bytes) -> Digest:
    """Hashes an inner node: sixteen digests, `NO_BRANCH` where there are no entries."""
    state = hashlib.blake2b(branches, digest_size=DIGEST_BYTES, person=b"tree branch")
    return Digest(state.digest())


def step(path: bytes, depth: int) -> int:
    """Chooses the branch that a path takes at a depth."""
    octet = path[depth // 2]
    return octet & 15 if depth % 2 else octet >> 4


def find_row(rows: bytes, path: bytes) -> int:
    """Finds the offset of a path's row, or where it would have to stand."""
    low, high = 0, len(rows) // ROW_BYTES
    while low < high:
        middle = (low + high) // 2
        begin = middle * ROW_BYTES
        if rows[begin : begin + DIGEST_BYTES] < path:
            low = middle + 1
        else:
            high = middle
    return low * ROW_BYTES


def leaf_at(rows: bytes, offset: int, path: bytes) -> bytes | None:
    """Reads the leaf at an offset that `find_row` gave; None when the path is not there."""
    row = rows[offset : offset + ROW_BYTES]
    return row[DIGEST_BYTES:] if row[:DIGEST_BYTES] == path else None
