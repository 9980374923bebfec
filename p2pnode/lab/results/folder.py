"""The folder of a run: tables, summary and manifest, written so that half a folder is none.

Each file appears whole or not at all. The manifest comes first, as that of a run that still goes
on, and last, as it is to stay: so a folder says at any time how far it is. Equal runs leave equal
bytes, but for the wall time in the manifest and what the Parquet writer says of itself.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from p2pnode.lab.results.extra import missing
from p2pnode.lab.results.schema import (
    SCHEMA,
    SCHEMA_VERSION,
    BadTable,
    Cell,
    Kind,
    Tables,
    check_tables,
)

if TYPE_CHECKING:
    import polars

MANIFEST: Final = "manifest.json"
SUMMARY: Final = "summary.json"
RUNNING, COMPLETE, INTERRUPTED, CRASHED = "running", "complete", "interrupted", "crashed"
"""How far a run came; one that is said to run and has no process was killed."""
PARTIAL: Final = ".partial"
"""Ends the names of files that are being written; a crash may leave some."""
UNENDED: Final = (RUNNING, INTERRUPTED)
"""Of runs that left no results."""


def unended_text(folder: Path, state: object) -> str:
    """Say of a folder that its run left no results; one that was killed could not say so itself."""
    told = "nobody wrote that it ended" if state == RUNNING else f"it is {state}"
    return f"the run in {folder} did not end: {told}; run it again, unless it still goes on"


class BadFolder(ValueError):  # noqa: N818  named for what is wrong
    """A folder that holds no results that this version can read; the message says why."""


@dataclass(frozen=True, slots=True)
class Results:
    """What a folder holds."""

    manifest: Mapping[str, object]
    summary: Mapping[str, object]
    tables: Tables


def write_folder(
    folder: Path, manifest: Mapping[str, object], summary: Mapping[str, object], tables: Tables
) -> None:
    """Writes a run's results, over those of an earlier run if there are any.

    Args:
        folder: Where to; made if it is not there.
        manifest: What was run, by `manifest_of`; the schema version is added here, and that it is
            complete where it says nothing else.
        summary: Metrics, by `summary_of`.
        tables: By `tables_of`.

    Raises:
        BadTable: a table is not as the schema has it.
        MissingExtra: polars is not installed.
        OSError: the folder cannot be written to.
    """
    check_tables(tables)
    frames = {name: _frame(name, tables) for name in SCHEMA}
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"schema_version": SCHEMA_VERSION, "state": COMPLETE} | dict(manifest)
    write_json(folder / MANIFEST, whole | {"state": RUNNING})
    for name, frame in frames.items():
        _write(folder / f"{name}.csv", frame.write_csv)
        _write(folder / f"{name}.parquet", frame.write_parquet)
    write_json(folder / SUMMARY, summary)
    write_json(folder / MANIFEST, whole)


def read_folder(folder: Path) -> Results:
    """Reads a run's results.

    Raises:
        BadFolder: there are none, or of another schema version, or they are damaged.
        MissingExtra: polars is not installed.
    """
    if not (folder / MANIFEST).is_file():
        raise BadFolder(f"{folder} holds no results: it has no {MANIFEST}")
    manifest = _read_json(folder / MANIFEST)
    version = manifest.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BadFolder(
            f"{folder} has results of schema version {version}; this program reads version "
            f"{SCHEMA_VERSION}: write them again with this program, or read them with the one "
            f"that wrote them (version {manifest.get('version', 'unknown')})"
        )
    if manifest.get("state") in UNENDED:
        raise BadFolder(unended_text(folder, manifest["state"]))
    summary = _read_json(folder / SUMMARY)
    tables = {name: _read_table(folder / f"{name}.parquet") for name in SCHEMA}
    try:
        check_tables(tables)
    except BadTable as error:
        raise BadFolder(f"{folder}: {error}") from error
    return Results(manifest, summary, tables)


def write_json(path: Path, value: object) -> None:
    """Replaces a file of JSON as a whole; a crash leaves the old one or the new one."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    _write(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def _frame(name: str, tables: Tables) -> "polars.DataFrame":
    pl = _polars()
    types = {
        Kind.TEXT: pl.String,
        Kind.WHOLE: pl.Int64,
        Kind.REAL: pl.Float64,
        Kind.TRUTH: pl.Boolean,
    }
    schema = {column.name: types[column.kind] for column in SCHEMA[name]}
    columns = {key: list(cells) for key, cells in tables[name].items()}
    frame: polars.DataFrame = pl.DataFrame(columns, schema=schema)
    return frame


def _read_table(path: Path) -> dict[str, list[Cell]]:
    pl = _polars()
    try:
        columns: dict[str, list[Cell]] = pl.read_parquet(path).to_dict(as_series=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadFolder(f"{path} cannot be read: {error}") from error
    return columns


def _polars() -> ModuleType:
    """Imports polars only where a table is written or read."""
    try:
        import polars  # noqa: PLC0415
    except ImportError as error:
        raise missing("polars", "Writing and reading tables") from error
    return polars


def _write(path: Path, write: Callable[[Path], object]) -> None:
    partial = path.with_name(path.name + PARTIAL)
    write(partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)  # noqa: PTH105  the one that replaces at once


def _read_json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadFolder(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise BadFolder(f"{path} holds no object")
    return value
