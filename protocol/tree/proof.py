"""Proofs that one key has a certain value under a root, or none: made by anyone, checked by anyone.

A proof is the bucket in which the key would have to lie and, for each level above, the digests of
the other branches. Whoever checks it needs nothing but the root, the key, the value and the proof.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from protocol.errors import Reason, Rejected
from protocol.tree.hashing import (
    BUCKET_MAX,
    DEPTH_MAX,
    NO_BRANCH,
    ROW_BYTES,
    WIDTH,
    branch_digest,
    bucket_digest,
    find_row,
    leaf_at,
    leaf_of,
    path_of,
    step,
)
from protocol.units import DIGEST_BYTES, Digest

MASK_MAX: Final = 1 << WIDTH


@dataclass(frozen=True, slots=True)
class Level:
    """The other branches of one inner node on the way."""

    mask: int
    """Bit i is set when branch i has entries; that of the branch on the way never is."""
    digests: bytes
    """One digest for each set bit, ascending."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The way from the root to where a key lies, or would lie."""

    levels: tuple[Level, ...]
    """From the root on."""
    rows: bytes
    """The bucket at the end; empty where the way ends at a branch without entries."""


def verify(root: Digest, key: bytes, value: bytes | None, proof: Proof) -> None:
    """Checks a proof.

    Args:
        root: The root that is trusted.
        key: The entry's key.
        value: The value that it is said to have; None when it is said to be absent.
        proof: The proof, from anywhere.

    Raises:
        Rejected: `TOO_LARGE` or `MALFORMED` for what no tree can give, `BAD_PROOF` for another
            root, key or value.
    """
    _check_form(proof)
    path = path_of(key)
    found = leaf_at(proof.rows, find_row(proof.rows, path), path)
    if found != (None if value is None else leaf_of(key, value)):
        raise Rejected(Reason.BAD_PROOF, "it is not about this key and value")
    if _root_of(path, proof) != root:
        raise Rejected(Reason.BAD_PROOF, "it belongs to another root")


def _check_form(proof: Proof) -> None:
    if len(proof.levels) > DEPTH_MAX or len(proof.rows) > BUCKET_MAX * ROW_BYTES:
        raise Rejected(Reason.TOO_LARGE, "no tree is so deep, no bucket so full")
    rows = proof.rows
    paths = [rows[at : at + DIGEST_BYTES] for at in range(0, len(rows), ROW_BYTES)]
    if len(rows) % ROW_BYTES or any(one >= two for one, two in pairwise(paths)):
        raise Rejected(Reason.MALFORMED, "a bucket's rows ascend")


def _root_of(path: bytes, proof: Proof) -> bytes:
    """Folds a proof up to the root that it belongs to."""
    is_gap = bool(proof.levels) and not proof.rows
    below: bytes = NO_BRANCH if is_gap else bucket_digest(proof.rows)
    for depth in range(len(proof.levels) - 1, -1, -1):
        below = branch_digest(_branches(proof.levels[depth], step(path, depth), below))
    return below


def _branches(level: Level, own: int, below: bytes) -> bytes:
    """Puts an inner node together: the branch on the way, and the others as the proof has them."""
    if not 0 <= level.mask < MASK_MAX or level.mask >> own & 1:
        raise Rejected(Reason.MALFORMED, "a level has sixteen branches, one of them on the way")
    if len(level.digests) != level.mask.bit_count() * DIGEST_BYTES:
        raise Rejected(Reason.MALFORMED, "a level has a digest for each branch it names")
    branches, offset = [], 0
    for branch in range(WIDTH):
        if level.mask >> branch & 1:
            branches.append(level.digests[offset : offset + DIGEST_BYTES])
            offset += DIGEST_BYTES
        else:
            branches.append(below if branch == own else NO_BRANCH)
    return b"".join(branches)
