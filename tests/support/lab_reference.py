"""Tables of the laboratory for `docs/reference/`: what a scenario may say, what a run leaves."""

import ast
import enum
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from itertools import pairwise
from typing import Any

from p2pnode.lab.results.schema import SCHEMA, SCHEMA_VERSION
from p2pnode.lab.simulation.scenario_file import PLACES, READ_APART
from p2pnode.lab.simulation.schema import SAME_AS, UNITS, key_of, write_value
from p2pnode.lab.simulation.timeline import FAULTS
from p2pnode.lab.simulation.units import dimension_of
from protocol.simulator.costs import Costs
from protocol.simulator.network import Conditions, Delay, Pair
from protocol.simulator.overlay.parameters import (
    MeshParameters,
    OverlayParameters,
    ScoreParameters,
)
from protocol.simulator.overlay.topology import UNLIMITED
from protocol.simulator.queue import Capacity
from protocol.simulator.scenario import Behaviour, Range, Scenario, Workload
from tests.support.doc_words import class_named, field_words, one_line
from tests.support.sources import ROOT

RECORDS: Mapping[type, str] = {
    Conditions: "`[links]`",
    Delay: "A delay",
    Capacity: "A capacity",
    Costs: "`[costs]`",
    Workload: "`[workload]`",
    OverlayParameters: "`[overlay]`",
    MeshParameters: "`[overlay.mesh]`",
    ScoreParameters: "`[overlay.mesh.scores]`",
}
NAMED: Mapping[object, str] = {
    Delay: "a delay",
    Capacity: "a capacity",
    Costs: "a table",
    MeshParameters: "a table",
    ScoreParameters: "a table",
    Pair: "a link",
    tuple[Pair, ...]: "links",
}
HEAD = ["| key | holds | default | meaning |", "| --- | --- | --- | --- |"]
WINDOW = ("start_ns", "end_ns")


def results_lines() -> Iterator[str]:
    """Every table of a results folder with its columns."""
    yield (
        f"Version {SCHEMA_VERSION} of the schema: the tables of a results folder, each as CSV and "
        "as Parquet, the same for simulated and real networks. A unit is the end of a column's "
        "name. A cell is empty where a thing did not happen or was not seen, never zero. Nodes "
        "count from 0. A cell that lists nodes separates them by spaces, sides by `|`, and a node "
        "from its amount by `:`."
    )
    for name, columns in SCHEMA.items():
        yield from ("", f"## {name}", "", "| column | holds | meaning |", "| --- | --- | --- |")
        for column in columns:
            yield f"| `{column.name}` | {column.kind.value} | {column.about} |"


def scenario_lines() -> Iterator[str]:
    """Every key of a scenario file that is read by its type."""
    yield (
        "What a scenario file may say beyond its name, its members and their stakes, which "
        "[LABORATORY.md](../LABORATORY.md) explains. Quantities are texts with a unit; a delay and "
        "a capacity are tables of their own. What has no default must be said."
    )
    yield from ("", "## Places of their own", "", *HEAD)
    for field in fields(Scenario):
        if field.name in PLACES and field.name not in READ_APART and field.name != "conditions":
            yield _row(Scenario, field, ".".join(PLACES[field.name]))
    for record, title in RECORDS.items():
        yield from ("", f"## {title}", "", _first_sentence(record), "", *HEAD)
        yield from (_row(record, field) for field in _fields(record))
    yield from ("", "## `[[fault]]`", "", "Each has `at`, and `for` or `until`.", "")
    yield from ("| kind | what happens | keys |", "| --- | --- | --- |")
    for kind, record in FAULTS.items():
        keys = [_key(record, one) for one in _fields(record) if one.name not in WINDOW]
        yield f"| `{kind}` | {_first_sentence(record)} | {'<br>'.join(keys)} |"
    yield from ("", "## `[[behaviour]]`", "", "| kind | what such a node does |", "| --- | --- |")
    words = _member_words(Behaviour)
    for member in Behaviour:
        if member is not Behaviour.HONEST:
            yield f"| `{member.value}` | {words[member.name]} |"


def _row(record: type, field: "Field[Any]", key: str = "") -> str:
    words = _field_words(record).get(field.name, "")
    key = key or key_of(record, field.name)
    return f"| `{key}` | {_holds_of(record, field)} | {_default(record, field)} | {words} |"


def _key(record: type, field: "Field[Any]") -> str:
    """Tells of a key in one line."""
    words = _field_words(record).get(field.name, "")
    is_told = field.default is not MISSING and field.default is not None
    default = f", {_default(record, field)} unless said" if is_told else ""
    about = f"{_holds_of(record, field)}{default}"
    return f"`{key_of(record, field.name)}`, {about}{f': {words}' if words else ''}"


def _holds_of(record: type, field: "Field[Any]") -> str:
    hint = typing.get_type_hints(record)[field.name]
    name = UNITS.get(field.name, field.name)
    if field.name == "groups":
        return "groups of nodes"
    if hint == Range:
        return f"[least, most] {_holds(int, name)}"
    return _holds(hint, name)


def _holds(hint: object, name: str) -> str:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        (hint,) = (one for one in typing.get_args(hint) if one is not type(None))
    if hint in NAMED:
        return NAMED[hint]
    if typing.get_origin(hint) is tuple:
        parts = typing.get_args(hint)
        if parts[-1] is Ellipsis:
            return f"list of {_holds(parts[0], name)}"
        return f"[{', '.join(_holds(part, name) for part in parts)}]"
    assert isinstance(hint, type), hint
    return _holds_one(hint, name)


def _holds_one(hint: type, name: str) -> str:
    if issubclass(hint, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in hint)
    if hint is bool:
        return "true or false"
    dimension = dimension_of(name)[1]
    return "whole number" if dimension is None else dimension.name


def _default(record: type, field: "Field[Any]") -> str:
    if field.default is MISSING:
        twin = SAME_AS.get((record.__name__, field.name))
        return "must be said" if twin is None else f"as `{key_of(record, twin)}`"
    if field.default is None or field.default == () or is_dataclass(field.default):
        return "–"
    if field.default == UNLIMITED:
        return "no limit"
    hint, name = typing.get_type_hints(record)[field.name], UNITS.get(field.name, field.name)
    value = write_value(hint, field.default, name, full=True)
    return f"`{value}`".replace("'", '"').replace("True", "true").replace("False", "false")


def _fields(record: Any) -> tuple["Field[Any]", ...]:
    return fields(record)


def _first_sentence(record: type) -> str:
    return one_line((record.__doc__ or "").split("\n\n", maxsplit=1)[0])


def _field_words(record: type) -> dict[str, str]:
    """What is said of each field, in the docstring of its class or under the field."""
    path = ROOT / (record.__module__.replace(".", "/") + ".py")
    words = field_words(path, record.__name__)
    _, _, attributes = (record.__doc__ or "").partition("Attributes:")
    for block in re.split(r"\n {4,8}(?=\w+: )", attributes):
        name, _, text = block.strip().partition(": ")
        words.setdefault(name, one_line(text))
    return words


def _member_words(kind: type[enum.Enum]) -> dict[str, str]:
    """What is said under each member of an enumeration."""
    path = ROOT / (kind.__module__.replace(".", "/") + ".py")
    words = {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node, following in pairwise(class_named(tree, kind.__name__).body):
        match node, following:
            case (
                ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                words[name] = one_line(text)
            case _:
                pass
    return words
