"""What the operator of this node lets run on it: an allow-list of artefact digests, or anything."""

from dataclasses import dataclass, field

from p2pnode.kinds import known


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's decision about artefacts; the default refuses every one of them."""

    allowed: frozenset[bytes] = frozenset()
    """Digests of the artefacts that may run."""
    unsafe_run_anything: bool = False
    """Run artefacts that nobody here has looked at; the sandbox is then the only guard."""
    kinds: frozenset[str] = field(default_factory=lambda: frozenset(known()))
    """Kinds that may run at all."""

    def decide(self, digest: bytes, kind: str) -> str | None:
        """Say why an artefact may not run here, or None if it may."""
        if kind not in known():
            return f"there is no worker for artefacts of kind {kind!r}"
        if kind not in self.kinds:
            return f"the operator does not run artefacts of kind {kind!r}"
        if self.unsafe_run_anything or digest in self.allowed:
            return None
        return f"artefact {digest.hex()} is not on the operator's allow-list"
