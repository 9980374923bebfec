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
"""Thousandths of the mean at 128 even steps of the exponential distribution."""

BELL: Final = (
    0, 74, 112, 139, 160, 177, 192, 206, 217, 228, 238, 248, 257, 265, 273, 280,
    287, 294, 301, 307, 313, 319, 325, 331, 336, 341, 346, 352, 357, 361, 366, 371,
    376, 380, 385, 389, 393, 398, 402, 406, 410, 414, 418, 422, 426, 430, 434, 438,
    442, 446, 450, 454, 457, 461, 465, 469, 472, 476, 480, 483, 487, 491, 494, 498,
    502, 506, 509, 513, 517, 520, 524, 528, 531, 535, 539, 543, 546, 550, 554, 558,
    562, 566, 570, 574, 578, 582, 586, 590, 594, 598, 602, 607, 611, 615, 620, 624,
    629, 634, 639, 643, 648, 654, 659, 664, 669, 675, 681, 687, 693, 699, 706, 713,
    720, 727, 735, 743, 752, 762, 772, 783, 794, 808, 823, 840, 861, 888, 926, 1000,
)
"""Thousandths of the range at 128 even steps of the normal distribution, whose outermost steps are
2.66 standard deviations from the middle."""

SKEWED: Final = (
    43, 64, 78, 90, 100, 110, 119, 128, 136, 145, 153, 160, 168, 176, 183, 190,
    198, 205, 212, 220, 227, 234, 242, 249, 256, 264, 271, 278, 286, 293, 301, 309,
    316, 324, 332, 340, 348, 356, 364, 372, 380, 389, 397, 406, 415, 423, 432, 441,
    451, 460, 469, 479, 489, 499, 509, 519, 529, 540, 551, 562, 573, 584, 596, 607,
    619, 632, 644, 657, 670, 683, 697, 711, 725, 740, 755, 770, 785, 802, 818, 835,
    852, 870, 889, 907, 927, 947, 968, 989, 1011, 1034, 1058, 1082, 1107, 1134, 1161, 1189,
    1219, 1250, 1282, 1316, 1351, 1388, 1427, 1468, 1511, 1557, 1605, 1657, 1712, 1771, 1834, 1902,
    1975, 2055, 2143, 2239, 2347, 2466, 2602, 2757, 2938, 3154, 3416, 3748, 4189, 4829, 5915, 8769,
)
"""Thousandths of the mean at 128 even steps of the lognormal distribution with a sigma of 1."""
# fmt: on

TABLE_BITS: Final = 7
"""Of a draw from one of these tables."""

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
        span = high - low
        width, bits = span.bit_length(), self._bits
        while (number := bits(width) if width else 0) > span:
            pass
        return low + number

    def hits(self, ppm: int) -> bool:
        """Tells whether an event with a probability in millionths happens."""
        return self.below(MILLION) < ppm

    def long_tailed(self, mean: int) -> int:
        """Draws from a distribution like the exponential one; rounds down."""
        return mean * LONG_TAIL[self._bits(TABLE_BITS)] // 1_000

    def bell(self, low: int, high: int) -> int:
        """Draws from a distribution like the normal one between two bounds; rounds down."""
        return low + (high - low) * BELL[self._bits(TABLE_BITS)] // 1_000

    def skewed(self, mean: int) -> int:
        """Draws from a distribution like the lognormal one; rounds down."""
        return mean * SKEWED[self._bits(TABLE_BITS)] // 1_000

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
