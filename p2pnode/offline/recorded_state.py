"""Compares the state that an export claims with the one that its blocks lead to, entry by entry."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Final

from msgspec import Struct

from p2pnode.offline.findings import BadEntry
from protocol.compact import unpack
from protocol.entries import KINDS, VALUE_BYTES_MAX
from protocol.errors import Rejected
from protocol.snapshot import decode_pages
from protocol.state import State

NAMES: Final = {kind.number: kind for kind in KINDS}
ABSENT: Final = "nothing"
SHOWN_MAX: Final = 80
"""Characters of a value in a sentence."""


def compare_state(index: int, pages: Iterable[bytes], state: State) -> int:
    """Compares claimed entries with derived ones, and stops at the first that differs.

    Args:
        index: Number of the last block, which is named with what is wrong.
        pages: The claimed entries, as `State.encode_pages` would give them.
        state: What the blocks lead to.

    Returns:
        How many entries were compared.

    Raises:
        BadEntry: `entry_differs` with the first entry and field, or `malformed`.
    """
    try:
        claimed = dict(decode_pages(pages))
    except Rejected as refusal:
        raise BadEntry(index, "malformed", f"the recorded state: {refusal}") from refusal
    derived = dict(decode_pages(state.encode_pages()))
    for key in sorted(claimed.keys() | derived.keys()):
        if claimed.get(key) != derived.get(key):
            detail = _told(key, claimed.get(key), derived.get(key))
            raise BadEntry(index, "entry_differs", detail)
    return len(derived)


def _told(key: bytes, claimed: bytes | None, derived: bytes | None) -> str:
    kind = NAMES.get(key[0]) if key else None
    name = " ".join(part for part in (kind.name if kind else "entry", key[1:].hex()) if part)
    if kind is None or claimed is None or derived is None:
        there, gone = ("recorded", "derived") if claimed is not None else ("derived", "recorded")
        return f"{name} is {there}, and {gone} is none"
    try:
        values = [unpack(raw, kind.form, VALUE_BYTES_MAX) for raw in (claimed, derived)]
    except Rejected as refusal:
        return f"{name} is recorded as bytes that no state has: {refusal}"
    for path, one, other in _differences(values[0], values[1], ""):
        return f"{name}: {path}is recorded as {_shown(one)}, the rules give {_shown(other)}"
    return f"{name} is recorded in other bytes"


def _differences(
    claimed: object, derived: object, path: str
) -> Iterator[tuple[str, object, object]]:
    """Yields the innermost places at which two values differ, in order."""
    parts, others = _parts_of(claimed), _parts_of(derived)
    if type(claimed) is not type(derived) or parts is None or others is None:
        if claimed != derived:
            yield f"{path} " if path else "", claimed, derived
        return
    for name in dict.fromkeys((*parts, *others)):
        inner = f"{path}.{name}".lstrip(".") if not name.startswith("[") else f"{path}{name}"
        yield from _differences(parts.get(name, ABSENT), others.get(name, ABSENT), inner)


def _parts_of(value: object) -> Mapping[str, object] | None:
    """Takes a value apart by the names of its parts; None for one that has none."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, frozenset):
        value = tuple(sorted(value, key=repr))
    if isinstance(value, tuple):
        return {f"[{place}]": part for place, part in enumerate(value)}
    return None


def _shown(value: object) -> str:
    text = _text(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def _text(value: object) -> str:
    parts = _parts_of(value)
    if parts is not None:
        return f"({', '.join(_text(part) for part in parts.values())})"
    return value.hex() if isinstance(value, bytes) else str(value)
