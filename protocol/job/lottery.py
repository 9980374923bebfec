"""Weighted lottery that draws a job's executors and auditors from a public seed.

The draw is an exponential race: every account gets a score from the seed, its own identifier and
its own weight, and the lowest scores win. The result has the distribution of successive weighted
draws without replacement. As no score depends on who else takes part, adding or removing an
account never changes the order of the others, so nobody can steer a draw by crowding it, and a
substitute for a winner that failed is simply the next in order.

All arithmetic is on unlimited integers, so every node computes the same bits.

Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006 (the race);
Knuth, The Art of Computer Programming, volume 1, section 1.2.2 (logarithm by repeated squaring).
"""

import hashlib
from collections.abc import Mapping

from protocol.errors import Misuse
from protocol.units import KEY_BYTES

DOMAIN = b"p2pnode/lottery/v1\0"
"""Prefix of the hash that turns an identifier into its uniform number."""
SEED_BYTES = 32
"""A seed is one digest."""
HASH_BITS = 64
"""Width of the uniform number; two accounts tie on it with probability 2**-64."""
FRACTION_BITS = 40
"""Binary digits of the logarithm behind the point: its error is at most 2**-40."""
MANTISSA_BITS = 96
"""Width of the number that is squared; 40 doublings of its rounding error leave it below 2**-54."""
SHIFT_BITS = 64
"""Digits added before dividing by a weight, so that no 64-bit weight rounds a score to nothing."""
MAXIMUM_WEIGHT = 2**64 - 1


def draw(seed: bytes, weights: Mapping[bytes, int], count: int) -> tuple[bytes, ...]:
    """Draw distinct accounts, each next one in proportion to weight among those left.

    The order of the mapping has no influence. A draw of fewer is a prefix of a draw of more.

    Args:
        seed: 32 bytes that nobody could foresee when the weights were fixed.
        weights: Weight of each 32-byte identifier.
        count: How many to draw; all are returned, in order, when there are no more.

    Returns:
        The identifiers in the order drawn.

    Raises:
        Misuse: A seed or identifier is not 32 bytes long, a weight is no integer within
            1 to 2**64 - 1, or `count` is no positive integer.
    """
    _check_seed(seed)
    if type(count) is not int or count < 1:
        raise Misuse("count must be a positive integer")
    entries = []
    for identifier, weight in weights.items():
        number = _uniform(seed, identifier, weight)
        low, high = _logarithm_bounds(number)
        entries.append((_quotient(low, weight), _quotient(high, weight), identifier, number))
    # At least `count` scores are at or below the count-th lowest upper bound. An entry whose lower
    # bound is above that cannot win, so its logarithm, the costly part, need not be computed.
    limit = max(sorted(high for _, high, _, _ in entries)[:count], default=0)
    scored = sorted(
        (_quotient(negative_log2(number), weights[identifier]), identifier)
        for low, _, identifier, number in entries
        if low <= limit
    )
    return tuple(identifier for _, identifier in scored[:count])


def score(seed: bytes, identifier: bytes, weight: int) -> int:
    """Return an account's score, by which anyone can retrace a draw: the lowest wins.

    Equal scores are ordered by identifier.

    Raises:
        Misuse: As for `draw`.
    """
    _check_seed(seed)
    return _quotient(negative_log2(_uniform(seed, identifier, weight)), weight)


def negative_log2(number: int) -> int:
    """Return -log2((number + 1) / 2**64) with 40 binary digits behind the point.

    Args:
        number: An unsigned 64-bit integer.

    Returns:
        From 0, for the highest number, to 64 * 2**40, for 0; rounded up.
    """
    value = number + 1
    exponent = value.bit_length() - 1
    mantissa = value << (MANTISSA_BITS - 1 - exponent)
    fraction = 0
    for _ in range(FRACTION_BITS):
        # Squaring doubles the logarithm; whether it passes 2 is the next digit.
        mantissa = (mantissa * mantissa) >> (MANTISSA_BITS - 1)
        fraction <<= 1
        if mantissa >> MANTISSA_BITS:
            mantissa >>= 1
            fraction |= 1
    return ((HASH_BITS - exponent) << FRACTION_BITS) - fraction


def _logarithm_bounds(number: int) -> tuple[int, int]:
    """Return cheap bounds of `negative_log2`: at least the first, at most the second.

    With (number + 1) = 2**exponent * (1 + m), the fraction in question is 1 - log2(1 + m). The
    logarithm is concave, so its chord puts that at 1 - m or below; and -log2(x) is 1 - x or more,
    which with x = (1 + m) / 2 puts it at (1 - m) / 2 or above. Digits lost to rounding, here and
    in `negative_log2`, sum up to less than three units, which are added above.
    """
    value = number + 1
    exponent = value.bit_length() - 1
    whole = (HASH_BITS - 1 - exponent) << FRACTION_BITS
    chord = (((2 << exponent) - value) << FRACTION_BITS) >> exponent
    return whole + chord // 2, whole + chord + 3


def _quotient(logarithm: int, weight: int) -> int:
    """Divide by a weight; rounds down, yet keeps logarithms apart, as no weight reaches 2**64."""
    return (logarithm << SHIFT_BITS) // weight


def _check_seed(seed: bytes) -> None:
    if len(seed) != SEED_BYTES:
        raise Misuse(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")


def _uniform(seed: bytes, identifier: bytes, weight: int) -> int:
    """Check one entry and return its uniform 64-bit number."""
    if len(identifier) != KEY_BYTES:
        raise Misuse(f"an identifier has {KEY_BYTES} bytes, not {len(identifier)}")
    # A bool is an int to Python, and a float would round differently on another machine.
    if type(weight) is not int or not 1 <= weight <= MAXIMUM_WEIGHT:
        raise Misuse(f"a weight is an integer within 1 to 2**64 - 1, not {weight!r}")
    digest = hashlib.blake2b(DOMAIN + identifier, digest_size=HASH_BITS // 8, key=seed).digest()
    return int.from_bytes(digest, "big")
