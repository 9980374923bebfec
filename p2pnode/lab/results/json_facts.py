"""JSON records of a real node become the facts that they were made of.

`p2pnode.facts.record_of` is the way there; this is the way back.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Final, Union, cast, get_args, get_origin, get_type_hints

from protocol import effects as fx


class BadRecord(ValueError):  # noqa: N818  named for what is wrong
    """A record that cannot be a fact; the message says which field is wrong."""


def fact_of(record: Mapping[str, object]) -> fx.Fact | None:
    """Makes a fact of a record, which may hold more than the fact's fields.

    Returns:
        None for a fact that this version does not know.

    Raises:
        BadRecord: a field is missing or of the wrong kind.
    """
    kind = KINDS.get(str(record.get("fact", "")))
    if kind is None:
        return None
    values: dict[str, object] = {}
    for name, read in _readers(kind).items():
        try:
            values[name] = read(record[name])
        except (KeyError, TypeError, ValueError) as error:
            raise BadRecord(f"{record['fact']}.{name}: {error}") from error
    return cast("fx.Fact", kind(**values))


def name_of(kind: type) -> str:
    """Names a kind of value: its class in lower case, words joined by underscores."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__).lstrip("_")


KINDS: Final[Mapping[str, type]] = {name_of(kind): kind for kind in get_args(fx.Fact)}
"""Every fact, by its name in records."""


@cache
def _readers(kind: type) -> Mapping[str, Callable[[object], object]]:
    hints = get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in fields(kind)}


def _reader(hint: object) -> Callable[[object], object]:
    """Finds out how a field of this type is read."""
    if get_origin(hint) in (UnionType, Union):
        (inner,) = (one for one in get_args(hint) if one is not NoneType)
        read = _reader(inner)
        return lambda value: None if value is None else read(value)
    if get_origin(hint) is tuple:
        each = _reader(get_args(hint)[0])
        return lambda value: tuple(each(one) for one in cast("list[object]", _checked(value, list)))
    plain = getattr(hint, "__supertype__", hint)
    if plain is bytes:
        return _bytes
    if isinstance(plain, type) and issubclass(plain, Enum):
        members = plain.__members__
        return lambda value: members[str(value).upper()]
    assert isinstance(plain, type), f"no reader for {hint}"
    return lambda value: _checked(value, plain)


def _bytes(value: object) -> bytes:
    return bytes.fromhex(cast("str", _checked(value, str)))


def _checked(value: object, kind: type) -> object:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value
