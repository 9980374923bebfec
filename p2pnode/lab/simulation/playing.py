"""Runs one scenario and leaves a folder that says what came of it, also when nothing did."""

import importlib.util
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pnode.lab.results import (
    Collector,
    Metrics,
    counterfactual,
    manifest_of,
    metrics_of,
    missing,
    summary_of,
    tables_of,
    write_folder,
)
from p2pnode.lab.results.folder import COMPLETE, CRASHED, INTERRUPTED
from p2pnode.lab.simulation.folder import TRACE, new_manifest, prepared_folder, write_manifest
from p2pnode.lab.simulation.scenario_file import Described
from p2pnode.lab.simulation.tracing import open_trace, write_lines
from protocol.core import Core
from protocol.simulator.node import Recorder
from protocol.simulator.run import Outcome, Progress, Verdict, play
from protocol.simulator.scheme import CACHED, FAKE
from protocol.simulator.world import CoreMaker


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is done, besides what its scenario says.

    Attributes:
        real_signatures: Whether signatures are real; a hundred times slower.
        trace: Whether everything that happens is written down.
        progress: Told the virtual time now and then.
        make_core: Makes a node's core; a broken one where a test wants to see it caught.
    """

    real_signatures: bool = False
    trace: bool = False
    progress: Progress = lambda _: None
    make_core: CoreMaker = Core


def run_scenario(described: Described, manner: Manner | None = None) -> tuple[Outcome, Metrics]:
    """Run a scenario and measure it, without leaving anything behind."""
    collector = Collector(described.scenario)
    outcome = _play(described, manner or Manner(), [collector])
    return outcome, metrics_of(summary_of(tables_of(collector, outcome)))


def run_into(
    folder: Path, described: Described, manner: Manner | None = None
) -> tuple[Outcome, Metrics]:
    """Run a scenario and leave its results in a folder.

    Raises:
        ScenarioError: The folder holds something else.
        MissingExtra: Tables cannot be written here; nothing was run.
    """
    if importlib.util.find_spec("polars") is None:
        raise missing("polars", "keeping results")
    manner = manner or Manner()
    manifest = new_manifest(described, real_signatures=manner.real_signatures)
    with prepared_folder(folder), _noted(folder, manifest):
        begun = time.monotonic()
        collector = Collector(described.scenario)
        if manner.trace:
            with open_trace(folder / TRACE) as file:
                outcome = _play(described, manner, [collector, write_lines(file)])
        else:
            outcome = _play(described, manner, [collector])
        found = manifest_of(collector, outcome, round((time.monotonic() - begun) * 1_000))
        found |= manifest | {
            "state": CRASHED if outcome.verdict is Verdict.CRASH else COMPLETE,
            "as_expected": is_as_expected(described, outcome),
            "bites": [{"kind": bite.kind, "count": bite.count} for bite in outcome.bites],
        }
        tables = tables_of(collector, outcome)
        without = counterfactual(described.scenario) if described.scenario.faults else None
        summary = summary_of(tables, without)
        write_folder(folder, found, summary, tables)
        manifest |= found
    return outcome, metrics_of(summary)


def is_as_expected(described: Described, outcome: Outcome) -> bool:
    """Whether a run came to what its scenario's file says."""
    expected = described.expectation
    broken = {violation.invariant for violation in outcome.violations}
    return outcome.verdict is expected.outcome and (
        not expected.invariant or expected.invariant in broken
    )


def _play(described: Described, manner: Manner, recorders: list[Recorder]) -> Outcome:
    return play(
        described.scenario,
        CACHED if manner.real_signatures else FAKE,
        make_core=manner.make_core,
        recorders=recorders,
        progress=manner.progress,
    )


@contextmanager
def _noted(folder: Path, manifest: dict[str, Any]) -> Iterator[None]:
    """Writes the manifest before and after, whatever happens between."""
    write_manifest(folder, manifest)
    try:
        yield
    except KeyboardInterrupt:
        manifest["state"] = INTERRUPTED
        raise
    except BaseException:
        manifest["state"] = CRASHED
        raise
    finally:
        write_manifest(folder, manifest)
