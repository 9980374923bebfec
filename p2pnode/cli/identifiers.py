"""Identifiers as people type them: whole, or the beginning of one that stands in a list."""

import re
from collections.abc import Callable, Iterable

from p2pnode.cli.endings import BadInput

DIGITS = 64
"""32 bytes in hexadecimal."""
PREFIX_DIGITS_MIN = 8
"""Shorter beginnings are too easily those of another."""
SHOWN_DIGITS = 16
"""Of one in a table: enough to type back, and to tell all of them apart."""


def resolve(text: str, listed: Callable[[], Iterable[str]], what: str) -> str:
    """Complete an identifier.

    Args:
        text: As typed.
        listed: Asks for those that it may be the beginning of.
        what: Names the kind for messages, such as `job`.

    Raises:
        BadInput: It is none, or the beginning of none or of several.
    """
    digits = text.lower()
    if re.fullmatch(f"[0-9a-f]{{{PREFIX_DIGITS_MIN},{DIGITS}}}", digits) is None:
        raise BadInput(
            f"{text!r} is no {what}: write its {DIGITS} hexadecimal digits, "
            f"or the first {PREFIX_DIGITS_MIN} or more of one that is listed"
        )
    if len(digits) == DIGITS:
        return digits
    found = sorted({known for known in listed() if known.startswith(digits)})
    if len(found) == 1:
        return found[0]
    if not found:
        raise BadInput(f"no listed {what} begins with {digits}: write it whole")
    raise BadInput(f"{len(found)} {what}s begin with {digits}: write more digits")


def whole(text: str, what: str) -> str:
    """Check an identifier that may not be shortened.

    Raises:
        BadInput: It is not whole.
    """
    digits = text.lower()
    if re.fullmatch(f"[0-9a-f]{{{DIGITS}}}", digits) is None:
        raise BadInput(f"{text!r} is no {what}: write all of its {DIGITS} hexadecimal digits")
    return digits
