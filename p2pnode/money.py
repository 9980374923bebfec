"""Credits as people write them, to and from the integer millionths that everything else counts in.

Exact in both directions: there is no float on the way, and what has no exact value is refused.
"""

import re
from decimal import Decimal

from protocol.units import CREDIT

DECIMALS = 6
"""A millionth of a credit is the smallest amount."""
AMOUNT_MAX = 2**53
"""Far above any supply, and the largest integer that every JSON reader keeps exact."""

_COUNTED = re.compile(r"\b([0-9]+) millionths\b")
_AMOUNT = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,6}))?")


class MoneyError(ValueError):
    """A text is no amount of credits; the message says why, for people."""


def parse_credits(written: str | int | Decimal) -> int:
    """Read an amount of credits such as `12.5` as millionths.

    Args:
        written: Text, or a number as a TOML reader gives it with exact decimals.

    Raises:
        MoneyError: The amount is negative, not a plain decimal number, finer than a millionth of
            a credit, or larger than anything that exists.
    """
    text = format(written, "f") if isinstance(written, Decimal) else str(written).strip()
    if "." in text and isinstance(written, Decimal):
        text = text.rstrip("0").rstrip(".")
    match = _AMOUNT.fullmatch(text)
    if match is None or isinstance(written, bool):
        raise MoneyError(
            f"{str(written)!r} is not an amount of credits: write a number such as 12 or 0.25, "
            f"with at most {DECIMALS} decimals"
        )
    amount = int(match[1]) * CREDIT + int((match[2] or "").ljust(DECIMALS, "0"))
    if amount > AMOUNT_MAX:
        raise MoneyError(f"{text} credits are more than can exist")
    return amount


def format_credits(amount: int) -> str:
    """Write millionths as credits, with as many of the six decimals as carry a value."""
    whole, rest = divmod(abs(amount), CREDIT)
    decimals = f"{rest:0{DECIMALS}d}".rstrip("0")
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def in_credits(sentence: str) -> str:
    """Write the amounts of a sentence, which say that they are millionths, as credits."""
    return _COUNTED.sub(lambda match: f"{format_credits(int(match[1]))} credits", sentence)
