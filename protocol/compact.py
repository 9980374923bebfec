"""Values of the state as arrays of their fields, and back, by the types that their fields declare.

A dataclass becomes the array of its fields, a member of an enumeration its name (so that a sentence
can be reworded), a message the bytes that it has everywhere else. Equal values have equal bytes.
"""

import types
from collections.abc import Callable, Hashable, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from protocol.encoding import decode, encode, pack_plain, unpack_plain
from protocol.errors import Misuse, Reason, Rejected

Value = TypeVar("Value")
Turn = Callable[[object], object]
"""One direction of one type: a value to what MessagePack has, or back."""

PLAIN: Final = (int, str, bytes, bool)
SHARED_MAX: Final = 1_024
"""Values kept to be shared by all that equal them, of each dataclass of plain fields."""
LONG_MIN, LONG_MAX = 9, 32
"""Bytes of an integer that is kept as bytes, because MessagePack has none so long."""


def pack(value: object) -> bytes:
    """Packs a value; its own type says how."""
    return pack_plain(_packer(cast("Hashable", type(value)))(value))


def unpack(raw: bytes, kind: type[Value], limit_bytes: int) -> Value:
    """Unpacks a value from outside.

    Types are checked, ranges and the canonical form are not: whoever reads a state compares its
    root, which is made of what is packed again.

    Args:
        raw: The bytes as they arrived.
        kind: The dataclass that they must make.
        limit_bytes: The largest size accepted.

    Raises:
        Rejected: `TOO_LARGE` or `MALFORMED`.
    """
    return cast("Value", _unpacker(cast("Hashable", kind))(unpack_plain(raw, limit_bytes)))


@cache
def _packer(hint: Hashable) -> Turn:
    """Makes the function that packs one type."""
    hint = getattr(hint, "__supertype__", hint)
    if hint in PLAIN:
        return _same
    if get_origin(hint) is not None:
        return _container_packer(hint)
    if is_dataclass(hint):
        return _record_packer(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return lambda value: cast("Enum", value).name
    if hasattr(hint, "__struct_fields__"):
        return encode
    raise Misuse(f"the state has no form for {hint}")


def _container_packer(hint: Hashable) -> Turn:
    origin = get_origin(hint)
    if origin is tuple:
        return _sequence_packer(get_args(hint))
    if origin is frozenset:
        each = _packer(get_args(hint)[0])
        return lambda values: sorted(map(each, cast("frozenset[object]", values)), key=pack_plain)
    inner = _packer(_optional(hint))
    return lambda value: None if value is None else inner(value)


def _same(value: object) -> object:
    return value


def _optional(hint: Hashable) -> Hashable:
    """Takes `None` out of a union of it and one other type."""
    others = [one for one in get_args(hint) if one is not types.NoneType]
    if get_origin(hint) not in (Union, types.UnionType) or len(others) != 1:
        raise Misuse(f"the state has no form for {hint}")
    return cast("Hashable", others[0])


def _sequence_packer(hints: Sequence[object]) -> Turn:
    if len(hints) == 2 and hints[1] is Ellipsis:
        each = _packer(hints[0])
        return lambda values: [each(one) for one in cast("Sequence[object]", values)]
    all_of_them = [_packer(one) for one in hints]

    def pack_each(values: object) -> object:
        pairs = zip(all_of_them, cast("Sequence[object]", values), strict=True)
        return [turn(one) for turn, one in pairs]

    return pack_each


def _record_packer(kind: object) -> Turn:
    names, hints = _fields_of(kind)
    read = attrgetter(*names) if len(names) > 1 else _single(names[0])
    turned = [(at, _packer(hint)) for at, hint in enumerate(hints) if _packer(hint) is not _same]

    def pack_fields(value: object) -> object:
        row = list(read(value))
        for at, turn in turned:
            row[at] = turn(row[at])
        return row

    return pack_fields


def _single(name: str) -> Callable[[object], tuple[object, ...]]:
    return lambda value: (getattr(value, name),)


def _fields_of(kind: object) -> tuple[list[str], list[object]]:
    hints = get_type_hints(kind)
    names = [one.name for one in fields(kind)]  # type: ignore[arg-type]  # a dataclass, see callers
    return names, [hints[name] for name in names]


@cache
def _unpacker(hint: Hashable) -> Turn:
    """Makes the function that unpacks one type."""
    hint = getattr(hint, "__supertype__", hint)
    if hint in PLAIN:
        return _checker(cast("type", hint))
    if get_origin(hint) is not None:
        return _container_unpacker(hint)
    if is_dataclass(hint):
        return _record_unpacker(cast("type", hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _name_reader(hint)
    if hasattr(hint, "__struct_fields__"):
        return lambda plain: _message(plain, cast("type", hint))
    raise Misuse(f"the state has no form for {hint}")


def _container_unpacker(hint: Hashable) -> Turn:
    origin = get_origin(hint)
    if origin is tuple:
        return _sequence_unpacker(get_args(hint))
    if origin is frozenset:
        each = _unpacker(get_args(hint)[0])
        return lambda plain: frozenset(each(one) for one in _array(plain))
    inner = _unpacker(_optional(hint))
    return lambda plain: None if plain is None else inner(plain)


def _checker(kind: type) -> Turn:
    """Makes the function that takes values of one plain type, and integers of more than 64 bits."""

    def check(plain: object) -> object:
        if type(plain) is not kind:
            if kind is int and isinstance(plain, bytes) and LONG_MIN <= len(plain) <= LONG_MAX:
                return int.from_bytes(plain, "big")
            raise Rejected(Reason.MALFORMED, f"{type(plain).__name__} instead of {kind.__name__}")
        return plain

    return check


def _array(plain: object, length: int | None = None) -> tuple[object, ...]:
    if not isinstance(plain, tuple) or (length is not None and len(plain) != length):
        raise Rejected(Reason.MALFORMED, "an array of another length, or none")
    return plain


def _sequence_unpacker(hints: Sequence[object]) -> Turn:
    if len(hints) == 2 and hints[1] is Ellipsis:
        each = _unpacker(hints[0])
        # Nearly all sequences of a state are empty.
        return lambda plain: () if plain == () else tuple(map(each, _array(plain)))
    turns = [_unpacker(one) for one in hints]

    def unpack_each(plain: object) -> object:
        pairs = zip(turns, _array(plain, len(turns)), strict=True)
        return tuple(turn(one) for turn, one in pairs)

    return unpack_each


def _record_unpacker(kind: type) -> Turn:
    """Makes the function that unpacks one dataclass: a snapshot holds millions of them.

    Whatever has the very type that a plain field declares is taken at once; only fields of other
    types, and integers that are kept as bytes, are turned one by one. Of equal values without such
    fields one is made for many: most accounts have never earned any yield.
    """
    _, hints = _fields_of(kind)
    turns = [_unpacker(hint) for hint in hints]
    declared = [_plain_type(hint) for hint in hints]
    turned = [(at, turns[at]) for at, plain_type in enumerate(declared) if plain_type is None]
    if turned:
        return _mixed_unpacker(kind, turns, turned, declared)
    made: dict[tuple[object, ...], object] = {}

    def unpack_plain_fields(plain: object) -> object:
        row = _array(plain, len(declared))
        if list(map(type, row)) != declared:
            return kind(*[turn(one) for turn, one in zip(turns, row, strict=True)])
        known = made.get(row)
        if known is None:
            if len(made) >= SHARED_MAX:
                made.clear()
            known = made[row] = kind(*row)
        return known

    return unpack_plain_fields


def _mixed_unpacker(
    kind: type,
    turns: Sequence[Turn],
    turned: Sequence[tuple[int, Turn]],
    declared: Sequence[type | None],
) -> Turn:
    def unpack_fields(plain: object) -> object:
        row = list(_array(plain, len(declared)))
        found: list[type | None] = list(map(type, row))
        for at, _ in turned:
            found[at] = None
        if found != declared:
            return kind(*[turn(one) for turn, one in zip(turns, row, strict=True)])
        for at, turn in turned:
            row[at] = turn(row[at])
        return kind(*row)

    return unpack_fields


def _plain_type(hint: object) -> type | None:
    hint = getattr(hint, "__supertype__", hint)
    return cast("type", hint) if hint in PLAIN else None


def _name_reader(kind: type[Enum]) -> Turn:
    members = dict(kind.__members__)

    def read(plain: object) -> object:
        member = members.get(plain) if isinstance(plain, str) else None
        if member is None:
            raise Rejected(Reason.MALFORMED, f"no {kind.__name__} has this name")
        return member

    return read


def _message(plain: object, kind: type[Value]) -> Value:
    if not isinstance(plain, bytes):
        raise Rejected(Reason.MALFORMED, "a message is kept as its bytes")
    return decode(plain, kind, len(plain))
