"""Runs again what a folder's manifest describes, and compares to the bit."""

from dataclasses import dataclass
from pathlib import Path

from p2pnode.lab.results.folder import unended_text
from p2pnode.lab.simulation.folder import TRACE, described_in, read_manifest
from p2pnode.lab.simulation.library import ScenarioError
from p2pnode.lab.simulation.tracing import Comparison, Difference
from protocol.core import Core
from protocol.simulator.run import Outcome, Progress, play
from protocol.simulator.scheme import CACHED, FAKE
from protocol.simulator.world import CoreMaker


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a second run came to.

    Attributes:
        before: Digest of the first run's trace.
        version: Of the program that made the first run.
        difference: Where the traces part; None when they do not, or the first one is not kept.
    """

    outcome: Outcome
    before: str
    version: str
    difference: Difference | None

    @property
    def is_equal(self) -> bool:
        """Whether both runs were the same to the bit."""
        return self.outcome.trace == self.before and self.difference is None


def replay(
    folder: Path, progress: Progress = lambda _: None, make_core: CoreMaker = Core
) -> Replayed:
    """Run a folder's run again.

    Args:
        folder: Holds the manifest, and perhaps the whole trace, of the first run.
        progress: Told the virtual time now and then.
        make_core: Makes a node's core.

    Raises:
        ScenarioError: There is no run, or it did not end.
    """
    manifest = read_manifest(folder)
    if "trace" not in manifest:
        raise ScenarioError(unended_text(folder, manifest.get("state")))
    comparison = Comparison(folder / TRACE) if (folder / TRACE).exists() else None
    outcome = play(
        described_in(folder).scenario,
        CACHED if manifest.get("signatures") == "real" else FAKE,
        make_core=make_core,
        recorders=(comparison.recorder,) if comparison is not None else (),
        progress=progress,
    )
    if comparison is not None:
        comparison.finish()
    return Replayed(
        outcome,
        str(manifest["trace"]),
        str(manifest.get("version")),
        comparison.difference if comparison is not None else None,
    )
