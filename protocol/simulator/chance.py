"""Seeded draws in integers: one stream for each purpose and node.

Streams are separate so that one more fault shifts neither the workload nor another node's delays.
"""

import random
from collections.abc import Sequence
from typing import Final, TypeVar

from protocol.encoding import digest_of

MILLION: Final = 1_000_000

# fmt: off
LONG_TAIL: Final = (
    4, 12, 20, 28, 36, 44, 52, 60, 69, 77, 86, 94, 103, 111, 120, 129,
    138, 147, 156, 165, 175, 184, 193, 203, 212, 222, 232, 242, 252, 262, 272, 282,
    293, 303, 314, 325, 336, 347, 358, 369, 380, 392, 404, 415, 427, 439, 451, 464,
    476, 489, 502, 515, 528, 541, 555, 568, 582, 596, 611, 625, 640, 655, 670, 685,
    701, 717, 733, 749, 766, 783, 800, 818, 836, 854, 872, 891, 910, 930, 950, 970,
    991, 1013, 1034, 1057, 1079, 1103, 1126, 1151, 1176, 1201, 1228, 1255, 1282, 1311, 1340, 1371,
    1402, 1434, 1468, 1502, 1538, 1575, 1613, 1653, 1695, 1739, 1784, 1832, 1882, 1934, 1990, 2049,
    2111, 2178, 2249, 2326, 2410, 2501, 2601, 2712, 2837, 2980, 3147, 3348, 3599, 3936, 4447, 5545,
)
# fmt: on
"""Thousandths of the mean at 128 even steps of the exponential distribution."""

LONG_TAIL_BITS: Final = 7

Item = TypeVar("Item")


class Stream:
    """Draws for one purpose of one node."""

    __slots__ = ("_bits",)

    def __init__(self, seed: int, purpose: str, node: int = 0) -> None:
        start = digest_of(b"stream", seed.to_bytes(8, "big"), purpose.encode(), b"%d" % node)
        source = random.Random(int.from_bytes(start, "big"))  # noqa: S311  a simulation, no secret
        self._bits = source.getrandbits

    def below(self, bound: int) -> int:
        """Draws an integer from 0 to `bound - 1`, all alike."""
        width = (bound - 1).bit_length()
        while (number := self._bits(width) if width else 0) >= bound:
            pass
        return number

    def between(self, low: int, high: int) -> int:
        """Draws an integer from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def hits(self, ppm: int) -> bool:
        """Tells whether an event with a probability in millionths happens."""
        return self.below(MILLION) < ppm

    def long_tailed(self, mean: int) -> int:
        """Draws from a distribution like the exponential one; rounds down."""
        return mean * LONG_TAIL[self._bits(LONG_TAIL_BITS)] // 1_000

    def pick(self, items: Sequence[Item]) -> Item:
        """Draws one item."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """Draws an order."""
        rest = list(items)
        return [rest.pop(self.below(len(rest))) for _ in range(len(rest))]

    def digest(self) -> bytes:
        """Draws 32 bytes."""
        return self._bits(256).to_bytes(32, "big")
