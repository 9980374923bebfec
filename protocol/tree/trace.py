"""The tree over a run's steps: one root binds what a run held after each of them.

A perfect binary tree whose leaves are the digests of what the run held after step 1, 2 and so on,
filled up with `NO_STEP`. Two runs that end differently find their first different leaf by going
down from their roots, one pair of digests a level; each pair is checked against the digest above.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from protocol.units import DIGEST_BYTES, Digest

NO_STEP: Final = Digest(bytes(DIGEST_BYTES))
"""Stands behind the last step; no digest is ever all zeros."""
STEPS_MAX: Final = 2**16
"""Steps of one run: their digests take 2 MiB, and their tree as much again."""


def node_of(left: Digest, right: Digest) -> Digest:
    """Hashes two neighbours into the node above them."""
    state = hashlib.blake2b(left + right, digest_size=DIGEST_BYTES, person=b"trace node")
    return Digest(state.digest())


def height_of(steps: int) -> int:
    """Counts the levels between the root and the leaves: the binary logarithm, rounded up."""
    return (steps - 1).bit_length()


def padding_of(height: int) -> Digest:
    """Computes the root of a tree of this height that has no step at all."""
    node = NO_STEP
    for _ in range(height):
        node = node_of(node, node)
    return node


def top_of(leaf: Digest, left: Sequence[Digest]) -> Digest:
    """Computes the root of a tree from its last leaf and the left neighbours on the way up."""
    for neighbour in left:
        leaf = node_of(neighbour, leaf)
    return leaf


class Trace:
    """The tree of one run.

    Args:
        leaves: What the run held after each step, by its digest; at least one, at most `STEPS_MAX`.
    """

    def __init__(self, leaves: Sequence[Digest]) -> None:
        assert 0 < len(leaves) <= STEPS_MAX, "a run has steps, and not too many"
        height = height_of(len(leaves))
        level = [*leaves, *[NO_STEP] * ((1 << height) - len(leaves))]
        self._levels = [level]
        while len(level) > 1:
            level = [node_of(level[at], level[at + 1]) for at in range(0, len(level), 2)]
            self._levels.append(level)

    @property
    def root(self) -> Digest:
        """What binds the run to all its steps."""
        return self._levels[-1][0]

    def halves(self, begin: int, height: int) -> tuple[Digest, Digest]:
        """Shows the two nodes below the one that spans `2**height` leaves from `begin` on."""
        level, at = self._levels[height - 1], begin >> (height - 1)
        return level[at], level[at + 1]

    def ending(self, begin: int, height: int) -> tuple[Digest, ...]:
        """Shows the leaf before `begin` as the last of a subtree with this height.

        Returns:
            The leaf, then its left neighbours on the way up; see `top_of`.
        """
        at = begin - 1
        neighbours = [self._levels[level][(at >> level) - 1] for level in range(height)]
        return (self._levels[0][at], *neighbours)
