"""The tree itself: a value that a batch of changes turns into the next one.

A node is a bucket of up to 32 entries or an inner node with sixteen branches; which of them follows
from the number of entries below alone, so equal entries have equal trees whatever came before. What
a batch leaves alone is shared between the old tree and the new one: a change of one entry costs one
node for each level, and keeping an old tree costs only what has changed since.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from protocol.tree.hashing import (
    BUCKET_MAX,
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
from protocol.tree.proof import Level, Proof
from protocol.units import DIGEST_BYTES, Digest

Change = tuple[bytes, bytes | None]
"""A path, and the leaf that it gets; None takes the entry away."""


class _Bucket(NamedTuple):
    """Few entries, packed. A bare tuple, like the other: a commit makes hundreds of nodes."""

    size: int
    digest: Digest
    rows: bytes


class _Inner(NamedTuple):
    """Many entries, by the next four bits of their paths."""

    size: int
    digest: Digest
    branches: tuple["_Node | None", ...]
    packed: bytes
    """The digests of the branches, as they are hashed."""


_Node = _Bucket | _Inner
_NOTHING: Final = _Bucket(0, bucket_digest(b""), b"")


class Tree:
    """All entries of a state, as far as a root and proofs need them: hashes, and no values."""

    __slots__ = ("_top",)

    def __init__(self) -> None:
        self._top: _Node = _NOTHING

    def __len__(self) -> int:
        return self._top.size

    @property
    def root(self) -> Digest:
        """The digest of all entries."""
        return self._top.digest

    def updated(self, changes: Iterable[tuple[bytes, bytes | None]]) -> "Tree":
        """Returns the tree after a batch of changes; this one stays as it is.

        Args:
            changes: Keys with their new values, None for one that goes; for a key named twice the
                last counts. One that goes need not be there.
        """
        leaves: dict[bytes, bytes | None] = {
            path_of(key): None if value is None else leaf_of(key, value) for key, value in changes
        }
        if not leaves:
            return self
        tree = Tree()
        tree._top = _changed(self._top, 0, sorted(leaves.items())) or _NOTHING
        return tree

    def prove(self, key: bytes) -> Proof:
        """Shows where a key lies, or that it is not there; see `proof.verify`."""
        path, node = path_of(key), self._top
        levels: list[Level] = []
        while isinstance(node, _Inner):
            own = step(path, len(levels))
            levels.append(_others(node, own))
            node = node.branches[own] or _NOTHING
        return Proof(tuple(levels), node.rows)


def _others(node: _Inner, own: int) -> Level:
    mask, digests = 0, []
    for number, branch in enumerate(node.branches):
        if branch is not None and number != own:
            mask |= 1 << number
            digests.append(branch.digest)
    return Level(mask, b"".join(digests))


def _changed(node: _Node | None, depth: int, changes: Sequence[Change]) -> _Node | None:
    """Applies changes, ascending by path, to what lies at one place; None where nothing is left."""
    if isinstance(node, _Inner):
        return _changed_inner(node, depth, changes)
    rows = node.rows if node is not None else b""
    if len(changes) == 1:
        rows = _changed_row(rows, *changes[0])
        if len(rows) <= BUCKET_MAX * ROW_BYTES:
            return _bucket(rows)
        return _grown(_leaves(rows), depth)
    leaves = dict(_leaves(rows))
    for path, leaf in changes:
        if leaf is None:
            leaves.pop(path, None)
        else:
            leaves[path] = leaf
    return _grown(sorted(leaves.items()), depth)


def _changed_inner(node: _Inner, depth: int, changes: Sequence[Change]) -> _Node | None:
    size, branches, packed = node.size, list(node.branches), bytearray(node.packed)
    begin = 0
    while begin < len(changes):
        own = step(changes[begin][0], depth)
        end = begin + 1
        while end < len(changes) and step(changes[end][0], depth) == own:
            end += 1
        before = branches[own]
        after = branches[own] = _changed(before, depth + 1, changes[begin:end])
        begin = end
        size += (after.size if after else 0) - (before.size if before else 0)
        place = own * DIGEST_BYTES
        packed[place : place + DIGEST_BYTES] = after.digest if after else NO_BRANCH
    if size <= BUCKET_MAX:
        return _bucket(b"".join(_rows(branch) for branch in branches if branch))
    return _inner(size, branches, bytes(packed))


def _changed_row(rows: bytes, path: bytes, leaf: bytes | None) -> bytes:
    begin = find_row(rows, path)
    end = begin if leaf_at(rows, begin, path) is None else begin + ROW_BYTES
    row = b"" if leaf is None else path + leaf
    return b"".join((rows[:begin], row, rows[end:]))


def _grown(leaves: Sequence[tuple[bytes, bytes]], depth: int) -> _Node | None:
    """Makes a node of entries that ascend by path."""
    if len(leaves) <= BUCKET_MAX:
        return _bucket(b"".join(path + leaf for path, leaf in leaves))
    groups: list[list[tuple[bytes, bytes]]] = [[] for _ in range(WIDTH)]
    for entry in leaves:
        groups[step(entry[0], depth)].append(entry)
    branches = [_grown(group, depth + 1) for group in groups]
    packed = b"".join(branch.digest if branch else NO_BRANCH for branch in branches)
    return _inner(len(leaves), branches, packed)


def _bucket(rows: bytes) -> _Bucket | None:
    return _Bucket(len(rows) // ROW_BYTES, bucket_digest(rows), rows) if rows else None


def _inner(size: int, branches: Sequence[_Node | None], packed: bytes) -> _Inner:
    return _Inner(size, branch_digest(packed), tuple(branches), packed)


def _leaves(rows: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (rows[at : at + DIGEST_BYTES], rows[at + DIGEST_BYTES : at + ROW_BYTES])
        for at in range(0, len(rows), ROW_BYTES)
    ]


def _rows(node: _Node) -> bytes:
    if isinstance(node, _Bucket):
        return node.rows
    return b"".join(_rows(branch) for branch in node.branches if branch)
