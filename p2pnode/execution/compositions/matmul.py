"""A product of matrices that is hard to fake and quick to check.

The entries are small integers, so that every partial sum is exact in 32-bit floats, whatever order
a device adds them in: all honest devices answer the same bytes. R. Freivalds, "Probabilistic
machines can use less running time", 1977, checks a product in time of the order of its size.
"""

from typing import Any

import numpy as np

Matrix = np.ndarray[Any, Any]

ENTRY_BITS = 4
"""Entries are from -8 to 7: even 4096 products of two sum to less than 2**24, which is exact."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def factors(size: int, seed: int) -> tuple[Matrix, Matrix]:
    """Draw the two matrices of a challenge, `int8[size, size]` each."""
    count = size * size
    return (
        _entries(seed, 0, count).reshape(size, size),
        _entries(seed, count, count).reshape(size, size),
    )


def is_product(product: Matrix, size: int, seed: int, secrets: Matrix) -> bool:
    """Say whether a matrix is the challenge's product, wrongly with 2**-31 or less a secret.

    Args:
        product: What was answered, `int32[size, size]`.
        size: Of the challenge.
        seed: Of the challenge.
        secrets: `int64[size, n]` with entries below 2**31, drawn after the answer was fixed.
    """
    if product.shape != (size, size) or product.dtype != np.int32:
        return False
    left, right = (one.astype(np.int64) for one in factors(size, seed))
    # Beyond 64 bits both sides wrap alike: the test holds modulo 2**64 as well.
    with np.errstate(over="ignore"):
        there = left @ (right @ secrets)
        here = product.astype(np.int64) @ secrets
    return bool((here == there).all())


def _entries(seed: int, first: int, count: int) -> Matrix:
    """SplitMix64 by counter: any part can be drawn without what comes before."""
    with np.errstate(over="ignore"):
        index = np.arange(first, first + count, dtype=np.uint64) + np.uint64(seed << 32)
        mixed = (index + np.uint64(1)) * GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return ((mixed >> np.uint64(64 - ENTRY_BITS)).astype(np.int8) - 8).astype(np.int8)
