"""TOML read with exact decimals, and the line on which each key stands, for messages to people.

The standard reader forgets where a key was written; a second look at the text finds it again.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

TEXT_BYTES_MAX = 256 * 1024
"""Nobody writes longer files by hand; a wrong path should not fill the memory."""

QUOTES = ('"""', "'''")
"""What encloses strings of several lines."""

_HEADER = re.compile(r"\s*(\[{1,2})([^\[\]]+)\]{1,2}\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-\"'. ]+?)\s*=")
_TOKEN = re.compile(r"""#.*|\"{3}|'{3}|"(?:[^"\\]|\\.)*"|'[^']*'|[\[{\]}]""")


class TomlError(ValueError):
    """A file could not be read as TOML; the message names file and line, for people."""


@dataclass(frozen=True, slots=True)
class TomlText:
    """The content of a TOML file together with its text."""

    name: str
    """As people know the file."""
    values: Mapping[str, object]
    lines: Mapping[tuple[str, ...], int]
    """Line of each key by its path, such as `("limits", "seconds")` or, in the first table of an
    array, `("fault", "0", "at")`; the first line is 1."""

    def place(self, *path: str) -> str:
        """Name the file and the line of a key, or of the table that holds it."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}, line {self.lines[path]}" if path else self.name


def read_toml(path: Path) -> TomlText:
    """Read a file.

    Raises:
        TomlError: The file is missing, unreadable, too large or not TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(TEXT_BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise TomlError(f"{path}: {reason}: check the path") from error
    if len(content) > TEXT_BYTES_MAX:
        raise TomlError(f"{path}: larger than {TEXT_BYTES_MAX} bytes: this is not such a file")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise TomlError(f"{path}: not UTF-8 text") from error
    return parse_toml(text, str(path))


def parse_toml(text: str, name: str) -> TomlText:
    """Parse a text; `name` stands for it in messages.

    Raises:
        TomlError: The text is not TOML.
    """
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(f"{name}: {error}") from error
    except (ArithmeticError, RecursionError) as error:
        raise TomlError(f"{name}: a value is out of range") from error
    return TomlText(name, values, _find_keys(text))


def nearest(key: str, known: Iterable[str]) -> str:
    """Suggest the known name that was probably meant, as the end of a sentence."""
    names = sorted(known)
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}"


def _find_keys(text: str) -> dict[tuple[str, ...], int]:
    lines: dict[tuple[str, ...], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if not inside and (header := _HEADER.fullmatch(line)):
            path = _split(header[2])
            if len(header[1]) == 2:
                counts = {one: last for one, last in counts.items() if one[: len(path)] != path} | {
                    path: counts.get(path, -1) + 1
                }
                lines.setdefault(path, number)
            table = _numbered(path, counts)
            lines.setdefault(table, number)
            continue
        if not inside and (key := _KEY.match(line)):
            lines.setdefault(table + _split(key[1]), number)
        inside = _still_inside(line, inside)
    return lines


def _numbered(path: tuple[str, ...], counts: Mapping[tuple[str, ...], int]) -> tuple[str, ...]:
    """Put the number of the newest table behind each name of an array of tables."""
    found: list[str] = []
    for end, name in enumerate(path, start=1):
        found.append(name)
        if path[:end] in counts:
            found.append(str(counts[path[:end]]))
    return tuple(found)


def _still_inside(line: str, inside: tuple[str, ...]) -> tuple[str, ...]:
    """Tell what a line leaves open: brackets, and the quotes of a string of several lines."""
    while True:
        if inside and inside[-1] in QUOTES:
            _, closing, line = line.partition(inside[-1])
            if not closing:
                return inside
            inside = inside[:-1]
        token = _TOKEN.search(line)
        if token is None:
            return inside
        line = line[token.end() :]
        if token[0] in ("[", "{", *QUOTES):
            inside = (*inside, token[0])
        elif token[0] in ("]", "}"):
            inside = inside[:-1]


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
