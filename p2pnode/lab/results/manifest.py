"""The manifest: what was run, with which program, and what became of it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import Enum

from msgspec import Struct
from msgspec.structs import asdict as struct_values

from p2pnode import __version__
from p2pnode.lab.results.collector import Collector
from p2pnode.lab.results.times import to_ms
from p2pnode.lab.source import source_commit
from protocol.simulator.checks import Check
from protocol.simulator.run import Outcome
from protocol.simulator.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `manifest.json` holds beside the schema version.

    Attributes:
        source: `simulator` or `processes`.
        name: Of the scenario.
        scenario: Everything that the run depended on, defaults included.
        seed: Of every draw; None for real processes.
        version: Of this program.
        commit: Of its source, by `p2pnode.lab.source`; empty where not known.
        trace: Digest over everything that happened; empty for real processes.
        outcome: pass, safety, liveness, unknown or crash.
        checks: Each promise by `name`, its `result` (holds, broken or unknown) and the `reason`.
        violations: Checker, node and detail of what was broken.
        nodes: Their number.
        honest: Those whose views the tables give.
        virtual_ms: How long the run was, on its own clock.
        wall_ms: How long it took; the one thing that differs between equal runs.
        dropped: How many things the tables lack, because memory or a stream was full, by kind.
    """

    source: str
    name: str
    scenario: Mapping[str, object]
    seed: int | None
    version: str
    commit: str
    trace: str
    outcome: str
    checks: tuple[Mapping[str, object], ...]
    violations: tuple[Mapping[str, object], ...]
    nodes: int
    honest: tuple[int, ...]
    virtual_ms: float
    wall_ms: float
    dropped: Mapping[str, int]

    def to_json(self) -> dict[str, object]:
        """Makes it ready for `write_folder`."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}


def manifest_of(
    collector: Collector, outcome: Outcome, wall_ms: float, commit: str | None = None
) -> dict[str, object]:
    """Makes the manifest of a simulated run.

    Args:
        collector: What watched it.
        outcome: What it came to.
        wall_ms: How long it took.
        commit: Of the source; None looks it up.
    """
    scenario: Scenario = outcome.scenario
    return Manifest(
        source="simulator",
        name=scenario.name,
        scenario=scenario_to_json(scenario),
        seed=scenario.seed,
        version=__version__,
        commit=source_commit() if commit is None else commit,
        trace=outcome.trace,
        outcome=outcome.verdict.name.lower(),
        checks=checks_to_json(outcome.checks),
        violations=tuple(asdict(violation) for violation in outcome.violations),
        nodes=scenario.nodes,
        honest=collector.setup.honest,
        virtual_ms=to_ms(outcome.counts.ended_ns),
        wall_ms=wall_ms,
        dropped=collector.dropped,
    ).to_json()


def checks_to_json(checks: Iterable[Check]) -> tuple[Mapping[str, str], ...]:
    """Spells out what a run says of each promise."""
    return tuple(
        {"name": check.name, "result": check.result.value, "reason": check.reason}
        for check in checks
    )


def scenario_to_json(scenario: Scenario) -> dict[str, object]:
    """Spells a scenario out, each fault with its class."""
    value = plain(scenario)
    assert isinstance(value, dict)
    return value


def plain(value: object) -> object:
    """Makes a value ready for JSON; a dataclass inside a list names its class."""
    match value:
        case Enum():
            value = value.value
        case bytes():
            value = value.hex()
        case Struct():
            value = {name: plain(one) for name, one in struct_values(value).items()}
        case Mapping():
            value = {str(name): plain(one) for name, one in value.items()}
        case list() | tuple():
            value = [_item(one) for one in value]
        case _ if is_dataclass(value):
            value = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _item(value: object) -> object:
    inner = plain(value)
    if is_dataclass(value) and isinstance(inner, dict):
        return {"class": type(value).__name__} | inner
    return inner
