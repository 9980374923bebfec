"""Reads any value of a scenario from plain data, and writes it, by the types of its fields.

The simulator's dataclasses say everything: a field's name ends in its unit, an enumeration lists
its members. So a new kind of fault needs no line here. A complaint carries the path of the value
that it is about.
"""

import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Final, TypeVar

from p2pnode.lab.simulation.groups import Groups, read_groups, read_pairs
from p2pnode.lab.simulation.units import (
    MAGNITUDE_MAX,
    dimension_of,
    read_quantity,
    write_quantity,
)
from p2pnode.toml_text import nearest
from protocol.simulator.network import Pair

Path = tuple[str, ...]
Record = TypeVar("Record")

RENAMED: Final[Mapping[tuple[str, str], str]] = {
    ("LossBurst", "ppm"): "loss",
    ("DuplicateBurst", "ppm"): "duplicate",
    ("ReorderBurst", "ppm"): "reorder",
    ("Conditions", "reorder_ns"): "reorder_longest",
    ("SlowLink", "extra_ns"): "extra_delay",
    ("MeshParameters", "lazy_ppm"): "lazy_share",
}
"""Keys of fields whose own name says only the unit, or says the same as another one without it."""
UNITS: Final[Mapping[str, str]] = {
    name: f"{name}_ppm"
    for name in (
        "lossy",
        "first_decay",
        "mesh_decay",
        "failure_decay",
        "invalid_decay",
        "behaviour_decay",
    )
}
"""Names with a unit, of fields whose own name lacks it or that hold something else besides."""
SAME_AS: Final[Mapping[tuple[str, str], str]] = {("Delay", "high_ns"): "low_ns"}
"""Fields that follow another one when nothing is said of them."""
ABOVE_NOTHING: Final = (
    "_bps",
    "longest_ns",
    "cores",
    "dials",
    "fan_out",
    "degree",
    "heartbeat_ns",
    "round_ns",
    "history",
    "graft_ticks",
)
"""Ends of names whose values are divided by, drawn from or waited for, and so cannot be 0."""
SIGNED: Final = ("skew", "drift", "offset", "jump")
"""Beginnings of names whose values may be negative."""
SIGNED_ENDS: Final = ("_weight", "_threshold")
"""Ends of such names: what a neighbour is scored by."""


class Misread(ValueError):  # noqa: N818  named for what happened
    """A value cannot be read.

    Attributes:
        path: Where it stands.
    """

    def __init__(self, path: Path, sentence: str) -> None:
        super().__init__(sentence)
        self.path = path


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a value stands, and what is known about it.

    Attributes:
        path: Of the value in its document.
        field: Name of the field that it is for, with its unit.
        nodes: How many nodes there are, for values that name them.
    """

    path: Path
    field: str
    nodes: int

    def inner(self, key: str | int, field: str | None = None) -> "Slot":
        """Make the slot of a part of the value."""
        return Slot((*self.path, str(key)), field or self.field, self.nodes)


def kind_of(record: type) -> str:
    """Name a class as people write it: `LossBurst` is `loss-burst`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", record.__name__).lower()


def key_of(record: type, field: str) -> str:
    """Name the key of a field."""
    return RENAMED.get((record.__name__, field), dimension_of(field)[0])


def check_keys(table: Mapping[str, object], known: Iterable[str], path: Path) -> None:
    """Refuse keys that mean nothing.

    Raises:
        Misread: There is one.
    """
    names = tuple(known)
    for key in table:
        if key not in names:
            raise Misread((*path, key), f"unknown key {key!r}: {nearest(key, names)}")


def as_table(value: object, path: Path) -> Mapping[str, object]:
    """Take a value that has keys.

    Raises:
        Misread: It has none.
    """
    if not isinstance(value, Mapping):
        raise Misread(path, f"{value!r} stands where a table with keys is expected")
    return value


def as_tables(value: object, key: str) -> Iterator[tuple[Mapping[str, object], Path]]:
    """Take an array of tables, each with its path.

    Raises:
        Misread: It is none.
    """
    if not isinstance(value, list):
        raise Misread((key,), f"write [[{key}]], with two brackets, for each")
    for place, item in enumerate(value):
        path = (key, str(place))
        yield as_table(item, path), path


def read_record(
    record: type[Record], value: object, slot: Slot, given: Mapping[str, object]
) -> Record:
    """Read one of the simulator's values from a table.

    Args:
        record: Its class.
        value: The table.
        slot: Where that stands.
        given: Fields that are known already, which therefore have no key.

    Raises:
        Misread: A key is unknown or missing, or a value is wrong.
    """
    table = as_table(value, slot.path)
    hints = typing.get_type_hints(record)
    open_fields = [field for field in _fields(record) if field.name not in given]
    keys = {field.name: key_of(record, field.name) for field in open_fields}
    check_keys(table, keys.values(), slot.path)
    values = dict(given)
    for field in open_fields:
        key = keys[field.name]
        twin = SAME_AS.get((record.__name__, field.name))
        if key in table:
            inner = slot.inner(key, UNITS.get(field.name, field.name))
            values[field.name] = read_value(hints[field.name], table[key], inner)
        elif twin in values:
            values[field.name] = values[twin]
        elif has_no_default(field):
            raise Misread(slot.path, f"{key!r} is missing: it has no default")
    return record(**values)


def read_value(hint: object, value: object, slot: Slot) -> object:
    """Read a value of any type that a scenario has.

    Raises:
        Misread: It is wrong.
    """
    hint = _without_none(hint)
    try:
        if hint == tuple[Pair, ...]:
            return read_pairs(value, slot.nodes)
        if hint == Groups and slot.field == "groups":
            return read_groups(value, slot.nodes)
        if typing.get_origin(hint) is tuple:
            return _read_tuple(typing.get_args(hint), value, slot)
        assert isinstance(hint, type), hint
        if is_dataclass(hint):
            return read_record(hint, value, slot, {})
        if issubclass(hint, Enum):
            return _read_member(hint, value)
        return _read_scalar(hint, value, slot.field)
    except Misread:
        raise
    except ValueError as error:
        raise Misread(slot.path, str(error)) from error


def write_record(value: object, *, full: bool, skip: Iterable[str] = ()) -> dict[str, object]:
    """Write one of the simulator's values as a table that reads as an equal one.

    Args:
        value: What to write.
        full: Whether fields that have their default are written, too.
        skip: Fields to leave out.
    """
    record, hints = type(value), typing.get_type_hints(type(value))
    found: dict[str, object] = {}
    for field in _fields(record):
        one = getattr(value, field.name)
        is_silent = one is None or (not full and is_default(field, one))
        if field.name not in skip and not is_silent:
            name = UNITS.get(field.name, field.name)
            written = write_value(hints[field.name], one, name, full=full)
            found[key_of(record, field.name)] = written
    return found


def write_value(hint: object, value: object, field: str, *, full: bool) -> object:
    """Write a value so that `read_value` reads an equal one."""
    hint = _without_none(hint)
    if isinstance(value, tuple):
        parts = typing.get_args(hint)
        types_of = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return [
            write_value(part, one, field, full=full)
            for part, one in zip(types_of, value, strict=True)
        ]
    if is_dataclass(hint):
        return write_record(value, full=full)
    if isinstance(value, Enum):
        return value.value
    dimension = dimension_of(field)[1]
    if type(value) is int and dimension is not None:
        return write_quantity(value, dimension)
    return value


def has_no_default(field: "Field[Any]") -> bool:
    """Whether a field must be given."""
    return field.default is MISSING and field.default_factory is MISSING


def is_default(field: "Field[Any]", value: object) -> bool:
    """Whether a value is what a field has when nothing is said of it."""
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return bool(field.default is not MISSING and value == field.default)


def _fields(record: type) -> tuple["Field[Any]", ...]:
    return fields(typing.cast("Any", record))


def _without_none(hint: object) -> object:
    """Take the one type of an optional value; what is absent is simply not written."""
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        return hint
    (left,) = (one for one in typing.get_args(hint) if one is not type(None))
    return left


def _read_tuple(parts: tuple[Any, ...], value: object, slot: Slot) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise Misread(slot.path, f"{value!r} stands where a list is expected")
    is_open = parts[-1] is Ellipsis
    if not is_open and len(value) != len(parts):
        raise Misread(slot.path, f"expected a list of {len(parts)} values")
    hints = parts[:1] * len(value) if is_open else parts
    return tuple(
        read_value(hint, one, slot.inner(place))
        for place, (hint, one) in enumerate(zip(hints, value, strict=True))
    )


def _read_member(kind: type[Enum], value: object) -> Enum:
    known = [str(member.value) for member in kind]
    if value not in known:
        raise ValueError(f"unknown value {value!r}: {nearest(str(value), known)}")
    return kind(value)


def _read_scalar(hint: type, value: object, field: str) -> object:
    if hint is bool or hint is str:
        if type(value) is not hint:
            raise ValueError(f"expected {'true or false' if hint is bool else 'a text'}")
        return value
    if hint is not int:
        raise TypeError(f"no way to read a {hint} is known")
    dimension = dimension_of(field)[1]
    number = value if dimension is None else read_quantity(value, dimension)
    if type(number) is not int or abs(number) > MAGNITUDE_MAX:
        raise ValueError("expected a whole number")
    if number < 0 and not (field.startswith(SIGNED) or field.endswith(SIGNED_ENDS)):
        raise ValueError(f"{value!r} is negative")
    if number == 0 and field.endswith(ABOVE_NOTHING):
        raise ValueError(f"{value!r} is nothing")
    return number
