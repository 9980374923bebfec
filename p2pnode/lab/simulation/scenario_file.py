"""The scenario file: a simulated network and its fate in TOML, read strictly and written back.

The file's tables are arranged for people; `PLACES` says where each field of a `Scenario` stands. A
field without a place has a key, or a table, of its own name.
"""

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import msgspec

from p2pnode.genesis import PRESETS
from p2pnode.lab.simulation.schema import (
    Misread,
    Path,
    Slot,
    as_table,
    as_tables,
    check_keys,
    has_no_default,
    is_default,
    key_of,
    kind_of,
    read_value,
    write_record,
    write_value,
)
from p2pnode.lab.simulation.stakes import read_stakes
from p2pnode.lab.simulation.timeline import read_faults
from p2pnode.lab.simulation.units import TIME, write_quantity
from p2pnode.toml_text import nearest
from protocol.parameters import Parameters
from protocol.simulator.checks import GAPS
from protocol.simulator.run import Verdict
from protocol.simulator.scenario import Behaviour, Fault, Scenario

PLACES: Final[Mapping[str, Path]] = {
    "observers": ("nodes", "observers"),
    "twins": ("nodes", "twins"),
    "skews_ns": ("nodes", "skews"),
    "sync_ns": ("nodes", "sync"),
    "sync_delay": ("nodes", "sync_delay"),
    "conditions": ("links",),
    "safety_ns": ("stop", "safety"),
    "liveness_ns": ("stop", "liveness"),
}
"""Where fields stand whose place is not their own name."""

READ_APART: Final = ("name", "seed", "stakes", "parameters", "faults", "behaviours")
"""Fields with readers of their own."""

NODE_KEYS: Final = ("members", "stakes")
NAME_CHARACTERS_MAX: Final = 64
SEED_MAX: Final = 2**64 - 1
NODES_MAX: Final = 100_000
"""More than any memory holds; what a file says of all nodes is spelled out while it is read."""
DEFAULT_PRESET: Final = "minimal"
UNBROKEN: Final = (Verdict.PASS, Verdict.UNKNOWN)
"""Outcomes of runs that broke no promise."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a run of a scenario should come to.

    Attributes:
        outcome: Its verdict.
        invariant: One that must be among those broken; empty when none is named.
    """

    outcome: Verdict = Verdict.PASS
    invariant: str = ""


@dataclass(frozen=True, slots=True)
class Described:
    """A scenario with what its file says about it.

    Attributes:
        about: What it shows, and what is expected.
        overlaps: Whether its faults may contradict one another.
        places: Of each fault's table in the file, of which one may stand for several.
    """

    scenario: Scenario
    about: str = ""
    expectation: Expectation = Expectation()
    overlaps: bool = False
    places: tuple[int, ...] = dataclasses.field(default=(), compare=False)


def read_described(document: Mapping[str, object], seed: int | None = None) -> Described:
    """Read a scenario from plain data; whether it makes sense is judged elsewhere.

    Args:
        document: As in a TOML file, or in the manifest of a run.
        seed: Takes the place of the document's own.

    Raises:
        Misread: A key is unknown or missing, or a value is wrong.
    """
    top = {path[0] for _, path in _placed()} | {"about", "overlaps", "expect", "fault", "behaviour"}
    check_keys(document, {"name", "seed", "parameters", *top}, ())
    seed = _seed(document if seed is None else {"seed": seed})
    nodes_table = as_table(_required(document, "nodes"), ("nodes",))
    for _, path in _placed():
        _check_section(document, path)
    stakes = read_stakes(nodes_table, seed)
    values: dict[str, Any] = {
        "name": _text(document, "name", NAME_CHARACTERS_MAX),
        "seed": seed,
        "stakes": stakes,
        "parameters": _parameters(document.get("parameters", {})),
        "behaviours": tuple(_behaviours(document.get("behaviour", []))),
    }
    count = len(stakes)
    for field in ("observers", "twins"):
        values |= _placed_value(document, field, count)
    count += values.get("observers", 0) + len(values.get("twins", ()))
    if count > NODES_MAX:
        raise Misread(("nodes",), f"there are {count} nodes, and {NODES_MAX} are the most")
    for field, _ in _placed():
        values |= _placed_value(document, field.name, count)
    faults = list(read_faults(document.get("fault", []), count, seed))
    values["faults"] = tuple(fault for fault, _ in faults)
    return Described(
        Scenario(**values),
        _text(document, "about", None) if "about" in document else "",
        _expectation(document.get("expect", {})),
        bool(read_value(bool, document.get("overlaps", False), Slot(("overlaps",), "", 0))),
        tuple(place for _, place in faults),
    )


def document_of(described: Described, *, full: bool = True) -> dict[str, object]:
    """Write a scenario as plain data that reads as an equal value.

    Args:
        described: What to write.
        full: Whether fields are written that have their default, which a later version may change.
    """
    scenario = described.scenario
    found: dict[str, Any] = {"name": scenario.name, "seed": scenario.seed}
    found |= {"about": described.about} if described.about else {}
    found |= {"overlaps": True} if described.overlaps else {}
    found["nodes"] = {"stakes": list(scenario.stakes)}
    hints = typing.get_type_hints(Scenario)
    for field, path in _placed():
        value = getattr(scenario, field.name)
        if value is None or (not full and is_default(field, value)):
            continue
        table = found if len(path) == 1 else found.setdefault(path[0], {})
        table[path[-1]] = write_value(hints[field.name], value, field.name, full=full)
    parameters = _parameters_document(scenario.parameters, full=full)
    found |= {"parameters": parameters} if parameters else {}
    found["behaviour"] = [
        {"nodes": [node], "kind": behaviour.value} for node, behaviour in scenario.behaviours
    ]
    found["fault"] = [fault_document(fault, full=full) for fault in scenario.faults]
    found["expect"] = {
        "outcome": described.expectation.outcome.name.lower(),
        "invariant": described.expectation.invariant,
    }
    return {key: value for key, value in found.items() if value != []}


def fault_document(fault: Fault, *, full: bool) -> dict[str, object]:
    """Write one fault as a table."""
    return {
        "kind": kind_of(type(fault)),
        "at": write_quantity(fault.start_ns, TIME),
        "for": write_quantity(fault.end_ns - fault.start_ns, TIME),
    } | write_record(fault, full=full, skip=("start_ns", "end_ns"))


def _placed() -> Iterator[tuple[Any, Path]]:
    """Names each field that is read by its type, and its place."""
    for field in fields(Scenario):
        if field.name not in READ_APART:
            yield field, PLACES.get(field.name, (key_of(Scenario, field.name),))


def _placed_value(document: Mapping[str, object], name: str, count: int) -> dict[str, object]:
    """Reads one field of a scenario; nothing when it has a default and is not named."""
    (declared,) = (one for one in fields(Scenario) if one.name == name)
    path = PLACES.get(name, (key_of(Scenario, name),))
    table = document if len(path) == 1 else as_table(document.get(path[0], {}), path[:1])
    if path[-1] in table:
        hint = typing.get_type_hints(Scenario)[name]
        return {name: read_value(hint, table[path[-1]], Slot(path, name, count))}
    if has_no_default(declared):
        where = f"the table [{path[0]}]" if len(path) == 1 else repr(path[-1])
        raise Misread(path[:-1], f"{where} is missing: it has no default")
    return {}


def _check_section(document: Mapping[str, object], path: Path) -> None:
    """Refuses unknown keys in a table that holds several fields of a scenario."""
    if len(path) == 1 or path[0] not in document:
        return
    known = [other[1] for _, other in _placed() if len(other) == 2 and other[0] == path[0]]
    known += NODE_KEYS if path[0] == "nodes" else ()
    check_keys(as_table(document[path[0]], path[:1]), known, path[:1])


def _required(document: Mapping[str, object], key: str) -> object:
    if key not in document:
        raise Misread((), f"{key!r} is missing: it has no default")
    return document[key]


def _seed(document: Mapping[str, object]) -> int:
    seed = document.get("seed", 1)
    if type(seed) is not int or not 0 <= seed <= SEED_MAX:
        raise Misread(("seed",), f"expected a whole number from 0 to {SEED_MAX}")
    return seed


def _text(document: Mapping[str, object], key: str, longest: int | None) -> str:
    text = _required(document, key)
    if not isinstance(text, str) or not text.strip() or len(text) > (longest or len(text)):
        most = f" of at most {longest} characters" if longest else ""
        raise Misread((key,), f"expected a text{most}")
    if longest and not text.isprintable():
        raise Misread((key,), "expected a text of one line, without control characters")
    return text.strip() if key == "about" else text


def _behaviours(value: object) -> Iterator[tuple[int, Behaviour]]:
    for table, path in as_tables(value, "behaviour"):
        check_keys(table, ("kind", "nodes"), path)
        for key in ("kind", "nodes"):
            if key not in table:
                raise Misread(path, f"{key!r} is missing")
        kind = read_value(Behaviour, table["kind"], Slot((*path, "kind"), "kind", 0))
        nodes = read_value(tuple[int, ...], table["nodes"], Slot((*path, "nodes"), "nodes", 0))
        for node in typing.cast("tuple[int, ...]", nodes):
            yield node, typing.cast("Behaviour", kind)


def _expectation(value: object) -> Expectation:
    path = ("expect",)
    table = as_table(value, path)
    check_keys(table, ("outcome", "invariant"), path)
    known = {verdict.name.lower(): verdict for verdict in Verdict}
    outcome = table.get("outcome", "pass")
    if outcome not in known:
        raise Misread((*path, "outcome"), f"{outcome!r}: {nearest(str(outcome), known)}")
    invariant = read_value(str, table.get("invariant", ""), Slot((*path, "invariant"), "", 0))
    if invariant and invariant not in GAPS:
        raise Misread(
            (*path, "invariant"), f"unknown promise {invariant!r}: {nearest(str(invariant), GAPS)}"
        )
    if invariant and known[str(outcome)] in UNBROKEN:
        raise Misread(
            (*path, "invariant"), f"the outcome {outcome!r} breaks no promise: expect another one"
        )
    return Expectation(known[str(outcome)], str(invariant))


def _parameters(value: object) -> Parameters:
    """Reads the network's terms: a preset, and what differs from it, by the names of the terms."""
    path = ("parameters",)
    table = as_table(value, path)
    check_keys(table, ("preset", *Parameters.__struct_fields__), path)
    preset = table.get("preset", DEFAULT_PRESET)
    if preset not in PRESETS:
        raise Misread((*path, "preset"), f"unknown preset: {nearest(str(preset), PRESETS)}")
    terms = msgspec.structs.asdict(PRESETS[str(preset)]())
    for key in table.keys() - {"preset"}:
        changed = terms | {key: table[key]}
        try:
            msgspec.convert([changed[name] for name in Parameters.__struct_fields__], Parameters)
        except msgspec.ValidationError as error:
            raise Misread((*path, key), str(error).partition(" - at")[0]) from error
        terms = changed
    return Parameters(**terms)


def _parameters_document(parameters: Parameters, *, full: bool) -> dict[str, object]:
    terms = msgspec.structs.asdict(parameters)
    usual = msgspec.structs.asdict(PRESETS[DEFAULT_PRESET]())
    return {key: value for key, value in terms.items() if full or usual[key] != value}
