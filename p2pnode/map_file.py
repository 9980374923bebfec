"""A job file with `[[map]]`: one description and an array of inputs, each of them a job of its own.

What stands above the parts holds for all of them; a part adds inputs behind the shared ones, and
may name an artefact of its own.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from p2pnode.job_file import PARTS_KEY, JobFileError, JobSpec, build_spec
from p2pnode.toml_text import TomlError, TomlText, nearest, read_toml

PARTS_MAX = 1_000
"""Parts of one file: each is an offer with a fee and a draw of its own."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""How a part may be called: its output is a file of this name."""

KEYS = ("name", "artefact", "inputs")


@dataclass(frozen=True, slots=True)
class Part:
    """One job of the array."""

    name: str
    """The given one, or its number from 0, in as many digits as the last one has."""
    spec: JobSpec

    def fingerprint(self) -> str:
        """Digest of all that the part is, its content included, wherever its files lie.

        Raises:
            OSError: if a file cannot be read.
        """
        terms = replace(self.spec, artefact=b"", inputs=())
        digest = hashlib.blake2b(repr((self.name, terms)).encode(), digest_size=32)
        for content in (self.spec.artefact, *self.spec.inputs):
            whole = content if isinstance(content, bytes) else _digest_of(content)
            digest.update(whole)
        return digest.hexdigest()


def read_map_file(path: Path) -> tuple[Part, ...]:
    """Read a job file with parts; paths inside it are relative to its folder.

    Raises:
        JobFileError: The file, one of its values or a file that it names is wrong.
    """
    try:
        document = read_toml(path)
    except TomlError as error:
        raise JobFileError(str(error)) from error
    tables = document.values.get(PARTS_KEY)
    if not isinstance(tables, list) or not 1 <= len(tables) <= PARTS_MAX:
        raise JobFileError(
            f"{document.place(PARTS_KEY)}: 1 to {PARTS_MAX} parts are needed: write "
            f"[[{PARTS_KEY}]] for each, or offer a single job with `p2pnode submit`"
        )
    parts = tuple(_parts(document, tables, path.parent))
    names = [part.name for part in parts]
    for name in names:
        if names.count(name) > 1:
            raise JobFileError(f"{document.name}: two parts have the name {name!r}")
    return parts


def _parts(document: TomlText, tables: list[object], folder: Path) -> Iterator[Part]:
    shared = {key: value for key, value in document.values.items() if key != PARTS_KEY}
    for number, table in enumerate(tables):
        place = f"{document.name}, part {number}"
        if not isinstance(table, Mapping):
            raise JobFileError(f"{place}: a part is a table: write [[{PARTS_KEY}]]")
        for key in table:
            if key not in KEYS:
                raise JobFileError(f"{place}: unknown key {key!r}: {nearest(key, KEYS)}")
        name = table.get("name", str(number).zfill(len(str(len(tables) - 1))))
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            raise JobFileError(f"{place}: 'name': expected letters, digits, '-' and '_'")
        inputs = [*_listed(shared, place), *_listed(table, place)]
        values = shared | {key: table[key] for key in ("artefact",) if key in table}
        own = TomlText(place, values | {"inputs": inputs}, {})
        yield Part(name, build_spec(own, folder))


def _listed(table: Mapping[str, object], place: str) -> list[object]:
    inputs = table.get("inputs", [])
    if not isinstance(inputs, list):
        raise JobFileError(f"{place}: 'inputs': expected a list of paths or digests")
    return inputs


def _digest_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).digest()
