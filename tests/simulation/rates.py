"""How often something happened in random trials, with the interval that so many trials allow."""

import math

Z = 1.96
"""Of the normal distribution, for 95 %."""


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a rate, in per mille."""
    share = hits / count
    middle = share + Z * Z / (2 * count)
    spread = Z * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    scale = 1_000 / (1 + Z * Z / count)
    return max(0.0, (middle - spread) * scale), (middle + spread) * scale


def told(hits: int, count: int) -> str:
    """A rate in words and numbers."""
    low, high = wilson(hits, count)
    rate = f"{1_000 * hits / count:7.2f} per mille [{low:.2f}, {high:.2f}]"
    return f"{rate}, {hits} of {count}"
