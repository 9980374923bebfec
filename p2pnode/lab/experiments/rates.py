"""How often something happened in random trials, with the interval that so many trials allow.

Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
Journal of the American Statistical Association 22 (1927).
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final

from p2pnode.lab.experiments.experiment import Obtained

DEVIATIONS: Final = 2.575829
"""Of the normal distribution, for 99 %: with 95 %, one in twenty rows would be wrong by chance."""


def rate(hits: int, trials: int, bites: int) -> Obtained:
    """The share of trials that hit, with its 99 % interval."""
    return Obtained(hits / trials, *wilson(hits, trials, DEVIATIONS), trials, bites)


def wilson(hits: int, trials: int, deviations: float) -> tuple[float, float]:
    """Wilson's interval of a share, for so many standard deviations of the normal distribution."""
    share, square = hits / trials, deviations * deviations
    middle = share + square / (2 * trials)
    spread = deviations * sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    scale = 1 + square / trials
    low = (middle - spread) / scale if hits else 0.0
    high = (middle + spread) / scale if hits < trials else 1.0
    return low, high


def mean(values: Sequence[int], bites: int) -> Obtained:
    """The mean of independent trials, with its 99 % interval under the normal distribution."""
    middle = sum(values) / len(values)
    square = sum((value - middle) ** 2 for value in values) / max(1, len(values) - 1)
    spread = DEVIATIONS * sqrt(square / len(values))
    return Obtained(middle, middle - spread, middle + spread, len(values), bites)
