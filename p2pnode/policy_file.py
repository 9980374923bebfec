"""The policy file: what an operator writes down about whose work is taken, and on which terms.

Read with the settings, before anything starts. Nothing in it may be misspelled: a rule that did not
hold would be found out through strangers' work. Every complaint names the line.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from p2pnode.kinds import known
from p2pnode.money import parse_credits
from p2pnode.toml_text import TomlText, nearest, read_toml

DIGITS = 64
"""Hexadecimal digits of an account or a digest."""
ENTRIES_MAX = 10_000
"""The most entries of a list."""
CELSIUS_MIN, CELSIUS_MAX = 30, 110
"""Below, no GPU ever works; above, its own protection has switched it off."""
MINUTES = 24 * 60
SECONDS_MAX = 7 * 24 * 3_600
MIB = 2**20
MIB_MAX = 2**24

_TIME = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])")


class PolicyError(ValueError):
    """A policy file is wrong; the message names file and line and what to change."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When work is begun each day, by the machine's clock."""

    begin_minute: int
    end_minute: int
    """Not included; before `begin_minute` where the time goes over midnight."""

    def include(self, minute: int) -> bool:
        """Say whether work is begun in a minute of the day."""
        length = (self.end_minute - self.begin_minute) % MINUTES
        return (minute - self.begin_minute) % MINUTES < length

    def __str__(self) -> str:
        begin, end = (f"{at // 60:02}:{at % 60:02}" for at in (self.begin_minute, self.end_minute))
        return f"from {begin} to {end}"


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """What the file says; what it leaves out is not restricted."""

    kinds: frozenset[str] | None = None
    """Kinds of task that are taken; None for all that this node can run."""
    prices: Mapping[str, int] = field(default_factory=dict)
    """Millionths of a credit per second, by kind."""
    time_ms_max: int | None = None
    memory_bytes_max: int | None = None
    output_bytes_max: int | None = None
    allowed_artefacts: frozenset[bytes] = frozenset()
    """When there is one, no other artefact runs."""
    denied_artefacts: frozenset[bytes] = frozenset()
    allowed_requesters: frozenset[bytes] = frozenset()
    """When there is one, no other account's jobs are taken."""
    denied_requesters: frozenset[bytes] = frozenset()
    hours: Hours | None = None
    temperature_celsius: int | None = None
    """Above it nothing is begun on a GPU."""
    gpu_memory_bytes: int | None = None
    """The most that a job may use of a GPU."""
    lease_folder: Path | None = None
    """Where the nodes of this machine keep each other off a GPU."""


@dataclass(frozen=True, slots=True)
class _Field:
    """Where a key's value goes, and how it is read."""

    target: str
    read: Callable[[object], object]
    """Raises ValueError with what is expected."""


def read_policy(path: Path) -> PolicyFile:
    """Read a policy file.

    Raises:
        PolicyError: The file cannot be read, or says something that is not understood.
        TomlError: It is no TOML.
    """
    document = read_toml(path)
    for key in document.values:
        if key not in (*_TABLES, *_OWN_READERS):
            hint = nearest(key, (*_TABLES, *_OWN_READERS))
            raise PolicyError(f"{document.place(key)}: unknown key {key!r}: {hint}")
    found: dict[str, object] = {}
    if "kinds" in document.values:
        found["kinds"] = _checked(document, ("kinds",), _kinds, document.values["kinds"])
    found["prices"] = _prices(document)
    for name, fields in _TABLES.items():
        found |= _read_table(document, name, fields)
    return PolicyFile(**found)  # type: ignore[arg-type]  # the tables map each field to its reader


def _prices(document: TomlText) -> dict[str, int]:
    fields = {kind: _Field(kind, _price) for kind in known()}
    read = _read_table(document, "prices", fields)
    return {kind: price for kind, price in read.items() if isinstance(price, int)}


def _read_table(document: TomlText, name: str, fields: Mapping[str, _Field]) -> dict[str, object]:
    table = document.values.get(name, {})
    if not isinstance(table, Mapping):
        raise PolicyError(f"{document.place(name)}: {name!r} is a table: write [{name}]")
    found: dict[str, object] = {}
    for key, value in table.items():
        if key not in fields:
            place, hint = document.place(name, key), nearest(key, fields)
            raise PolicyError(f"{place}: unknown key {key!r} in [{name}]: {hint}")
        found[fields[key].target] = _checked(document, (name, key), fields[key].read, value)
    if name == "hours":
        return _hours(document, found)
    return found


def _checked(
    document: TomlText, path: tuple[str, ...], read: Callable[[object], object], value: object
) -> object:
    try:
        return read(value)
    except ValueError as error:
        raise PolicyError(f"{document.place(*path)}: {path[-1]!r}: {error}") from error


def _hours(document: TomlText, found: Mapping[str, object]) -> dict[str, object]:
    begin, end = found.get("from"), found.get("to")
    if begin is None and end is None:
        return {}
    if not isinstance(begin, int) or not isinstance(end, int) or begin == end:
        raise PolicyError(
            f"{document.place('hours')}: [hours] needs two different times, 'from' and 'to'"
        )
    return {"hours": Hours(begin, end)}


def _kinds(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not value:
        raise ValueError("expected a list of kinds: leave it out to take all")
    for kind in value:
        if kind not in known():
            raise ValueError(f"unknown kind {kind!r}: {nearest(str(kind), known())}")
    return frozenset(value)


def _price(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('expected credits per second in quotes, such as "0.002"')
    price = parse_credits(value)
    if price < 1:
        raise ValueError("a price is more than nothing: leave a kind out of `kinds` instead")
    return price


def _names(what: str) -> Callable[[object], object]:
    def read(value: object) -> frozenset[bytes]:
        if not isinstance(value, list) or len(value) > ENTRIES_MAX:
            raise ValueError(f"expected a list of at most {ENTRIES_MAX}")
        for one in value:
            if not isinstance(one, str) or re.fullmatch(f"[0-9a-fA-F]{{{DIGITS}}}", one) is None:
                raise ValueError(f"{one!r} is no {what}: write its {DIGITS} hexadecimal digits")
        return frozenset(bytes.fromhex(one) for one in value)

    return read


def _whole(lowest: int, highest: int, factor: int = 1) -> Callable[[object], object]:
    def read(value: object) -> int:
        if type(value) is not int or not lowest <= value <= highest:
            raise ValueError(f"expected a whole number from {lowest} to {highest}")
        return value * factor

    return read


def _minute(value: object) -> int:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('expected a time of day in quotes, such as "22:00"')
    return int(found[1]) * 60 + int(found[2])


def _folder(value: object) -> Path:
    path = Path(value).expanduser() if isinstance(value, str) else Path()
    if not path.is_absolute():
        raise ValueError("expected the whole path of a folder")
    return path


_OWN_READERS = ("kinds", "prices")
"""Keys of the file that are read by functions of their own."""

_TABLES: Mapping[str, Mapping[str, _Field]] = {
    "limits": {
        "seconds": _Field("time_ms_max", _whole(1, SECONDS_MAX, 1_000)),
        "memory_mib": _Field("memory_bytes_max", _whole(1, MIB_MAX, MIB)),
        "output_mib": _Field("output_bytes_max", _whole(1, MIB_MAX, MIB)),
    },
    "artefacts": {
        "allow": _Field("allowed_artefacts", _names("digest")),
        "deny": _Field("denied_artefacts", _names("digest")),
    },
    "requesters": {
        "allow": _Field("allowed_requesters", _names("account")),
        "deny": _Field("denied_requesters", _names("account")),
    },
    "hours": {"from": _Field("from", _minute), "to": _Field("to", _minute)},
    "gpu": {
        "temperature_celsius": _Field("temperature_celsius", _whole(CELSIUS_MIN, CELSIUS_MAX)),
        "memory_mib": _Field("gpu_memory_bytes", _whole(1, MIB_MAX, MIB)),
        "lease_folder": _Field("lease_folder", _folder),
    },
}
"""What each table of the file holds, beside `kinds` and `[prices]`."""
