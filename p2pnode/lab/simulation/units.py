"""Quantities as people write them, `250 ms`, `5 %` or `64 kbit/s`, and the integers they stand for.

Nothing is rounded: a value that is no whole number of its smallest unit is refused, and writing
chooses the largest unit that is exact, so that what was written reads as the same integer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAGNITUDE_MAX: Final = 2**62
"""Larger numbers stand for mistakes; a century has 2^61 nanoseconds."""

_QUANTITY = re.compile(r"\s*([+-]?\d{1,19})(?:\.(\d{1,9}))?\s*([A-Za-z%/]*)\s*")


@dataclass(frozen=True, slots=True)
class Dimension:
    """One kind of quantity.

    Attributes:
        name: What a person calls it.
        units: Each unit's size in the smallest one, from small to large.
        example: A value as a person writes it.
        largest: What no value may exceed, in the smallest unit.
    """

    name: str
    units: Mapping[str, int]
    example: str
    largest: int = MAGNITUDE_MAX


TIME: Final = Dimension(
    "time",
    {
        "ns": 1,
        "us": 1_000,
        "ms": 1_000_000,
        "s": 1_000_000_000,
        "min": 60_000_000_000,
        "h": 3_600_000_000_000,
    },
    "250 ms",
)
MILLISECONDS: Final = Dimension(
    "time", {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}, "250 ms"
)
SHARE: Final = Dimension("share", {"ppm": 1, "%": 10_000}, "5 %", 1_000_000)
SIZE: Final = Dimension(
    "size",
    {"B": 1, "kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30},
    "64 KiB",
)
BIT_RATE: Final = Dimension(
    "rate", {"bit/s": 1, "kbit/s": 10**3, "Mbit/s": 10**6, "Gbit/s": 10**9}, "64 kbit/s"
)
BYTE_RATE: Final = Dimension(
    "rate", {"B/s": 1, "kB/s": 10**3, "MB/s": 10**6, "GB/s": 10**9}, "8 kB/s"
)

DIMENSIONS: Final[Mapping[str, Dimension]] = {
    "bytes_per_second": BYTE_RATE,
    "bits_per_second": BIT_RATE,
    "bps": BIT_RATE,
    "bytes": SIZE,
    "ppm": SHARE,
    "ms": MILLISECONDS,
    "ns": TIME,
}
"""By the end of a field's name."""


def dimension_of(field: str) -> tuple[str, Dimension | None]:
    """Split a field's name into what it is about and the dimension that its end names."""
    for suffix, dimension in DIMENSIONS.items():
        if field.endswith("_" + suffix):
            return field.removesuffix("_" + suffix), dimension
    return field, DIMENSIONS.get(field)


def read_quantity(value: object, dimension: Dimension) -> int:
    """Read a quantity with its unit.

    Raises:
        ValueError: It is not written so, is no whole number of the smallest unit, or is too large.
    """
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[3] not in dimension.units:
        known = ", ".join(dimension.units)
        raise ValueError(
            f"expected a {dimension.name} with its unit, such as {dimension.example!r} "
            f"(units: {known})"
        )
    decimals = match[2] or ""
    scale: int = 10 ** len(decimals)
    number, rest = divmod(int(match[1] + decimals) * dimension.units[match[3]], scale)
    if rest:
        smallest = next(iter(dimension.units))
        raise ValueError(f"{value!r} is no whole number of {smallest}")
    if abs(number) > dimension.largest:
        most = write_quantity(dimension.largest, dimension)
        raise ValueError(f"{value!r} is out of range: the largest is {most}")
    return number


def write_quantity(number: int, dimension: Dimension) -> str:
    """Write a quantity in the largest unit that is exact."""
    exact = [unit for unit, size in dimension.units.items() if number % size == 0]
    unit = exact[-1] if number else next(iter(dimension.units))
    return f"{number // dimension.units[unit]} {unit}"
