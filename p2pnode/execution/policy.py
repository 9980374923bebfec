"""Which kinds of task the operator and the sandbox of this node bear at all.

An artefact of a stranger runs where the sandbox suffices. An operator who names artefacts to allow
runs only those, whatever the sandbox.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from p2pnode.execution.sandbox import LEVEL_CALLS
from p2pnode.kinds import known

LEVEL_NEEDED = LEVEL_CALLS
"""The sandbox level from which on artefacts of strangers run, whatever their kind."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's decision about kinds, and the sandbox's part in it."""

    names_artefacts: bool = False
    """Whether only artefacts run that the operator allowed by name."""
    unsafe_run_anything: bool = False
    """Run artefacts that nobody here has looked at even where the sandbox does not suffice."""
    kinds: frozenset[str] = field(default_factory=lambda: frozenset(known()))
    """Kinds that may run at all."""
    levels: Mapping[str, int] = field(default_factory=dict)
    """The sandbox level of the device that each kind runs on; 0 for those not named."""

    def kind_problem(self, kind: str) -> str:
        """Say why no artefact of a kind may run here; empty if some may."""
        if kind not in known():
            return f"there is no worker for artefacts of kind {kind!r}"
        if kind not in self.kinds:
            return f"the operator does not run artefacts of kind {kind!r}"
        level = self.levels.get(kind, 0)
        if level < LEVEL_NEEDED and not self.names_artefacts and not self.unsafe_run_anything:
            return (
                f"kind {kind!r} would run at sandbox level {level} here, and artefacts of strangers"
                f" need {LEVEL_NEEDED}: see docs/SANDBOX.md, or name what may run with"
                " --allow-artefact"
            )
        return ""
