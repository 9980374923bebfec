"""Reading of lock files, for the tests that judge them."""

import re
from dataclasses import dataclass

from tests.support.sources import ROOT

ENTRY = re.compile(r"(?P<name>[a-z0-9._-]+)==(?P<version>[^ ;]+)(?: ; (?P<marker>[^\\]+?))?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Pin:
    """One requirement of a lock file."""

    name: str
    version: str
    hashes: int
    """How many files satisfy it."""


def read_lock(name: str) -> tuple[Pin, ...]:
    """Read `requirements/<name>.txt`; a line that is no pinned requirement is an error."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(_pin(line) for line in text.replace("\\\n", " ").splitlines())


def _pin(line: str) -> Pin:
    requirement, *hashes = re.split(r"\s+(?=--)", line.strip())
    entry = ENTRY.fullmatch(requirement)
    if entry is None or not all(HASH.fullmatch(one) for one in hashes):
        raise ValueError(f"not a pinned requirement: {line[:80]}")
    return Pin(entry["name"], entry["version"], len(hashes))
