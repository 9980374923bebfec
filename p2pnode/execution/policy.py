"""What the operator of this node lets run on it: an allow-list of artefact digests, or anything."""

from collections.abc import Iterable
from dataclasses import dataclass

KINDS = frozenset({"wasm", "onnx"})
"""The kinds of artefact that this node has a worker for."""

DIGEST_BYTES = 32
"""A BLAKE2b-256 digest."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's decision about artefacts; the default refuses every one of them."""

    allowed: frozenset[bytes] = frozenset()
    """Digests of the artefacts that may run."""
    unsafe_run_anything: bool = False
    """Run artefacts that nobody here has looked at; the sandbox is then the only guard."""
    kinds: frozenset[str] = KINDS
    """Kinds that may run at all."""

    def decide(self, digest: bytes, kind: str) -> str | None:
        """Say why an artefact may not run here, or None if it may."""
        if kind not in KINDS:
            return f"there is no worker for artefacts of kind {kind!r}"
        if kind not in self.kinds:
            return f"the operator does not run artefacts of kind {kind!r}"
        if self.unsafe_run_anything or digest in self.allowed:
            return None
        return f"artefact {digest.hex()} is not on the operator's allow-list"


def read_allow_list(lines: Iterable[str]) -> frozenset[bytes]:
    """Read digests written in hexadecimal, with or without a `blake2b:` prefix.

    Raises:
        ValueError: if a line is not 32 bytes in hexadecimal.
    """
    return frozenset(_read_digest(line.strip()) for line in lines)


def _read_digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text.removeprefix("blake2b:"))
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        raise ValueError(f"{text!r} is not a digest of {DIGEST_BYTES} bytes in hexadecimal")
    return digest
