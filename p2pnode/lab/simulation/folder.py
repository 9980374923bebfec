"""The folder of one run: a manifest that says how far it came, a summary, and perhaps its trace.

The manifest is written before the run begins, so that a folder tells of a crash, too.
"""

import fcntl
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import p2pnode
from p2pnode.lab.results import SCHEMA_VERSION
from p2pnode.lab.results.folder import COMPLETE, MANIFEST, PARTIAL, RUNNING, write_json
from p2pnode.lab.simulation.checks import check_runnable
from p2pnode.lab.simulation.library import ScenarioError, complaint
from p2pnode.lab.simulation.scenario_file import Described, document_of, read_described
from p2pnode.lab.simulation.schema import Misread
from p2pnode.lab.source import source_commit
from p2pnode.toml_text import TomlText

TRACE: Final = "trace.jsonl.gz"
PLOTS: Final = "plots"
"""The one folder in that of a run."""


def new_manifest(described: Described, *, real_signatures: bool) -> dict[str, Any]:
    """Describe a run before it begins."""
    return {
        "schema_version": SCHEMA_VERSION,
        "source": "simulator",
        "state": RUNNING,
        "version": p2pnode.__version__,
        "commit": source_commit(),
        "python": platform.python_version(),
        "seed": described.scenario.seed,
        "signatures": "real" if real_signatures else "stand-in",
        "scenario": document_of(described),
    }


@contextmanager
def prepared_folder(folder: Path) -> Iterator[None]:
    """Make a folder for a run and keep other runs out of it for the time.

    One that an earlier run did not finish is used again.

    Raises:
        ScenarioError: It holds something else, or is in use, or cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ScenarioError(f"{folder}: {error.strerror}: name another folder") from error
    try:
        _lock(lock, folder)
        try:
            _check_free(folder)
        except OSError as error:
            raise ScenarioError(f"{folder}: {error.strerror}: name another folder") from error
        yield
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    """Locks the folder itself, which leaves no file behind and ends with the process."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ScenarioError(f"another process runs in {folder}: name another folder") from error


def _check_free(folder: Path) -> None:
    paths = [path for path in folder.iterdir() if path.is_dir() or path.suffix != PARTIAL]
    with tempfile.TemporaryFile(dir=folder):
        pass
    if not paths:
        return
    if all(path.name != MANIFEST for path in paths):
        raise ScenarioError(f"{folder} holds something else: name an empty folder")
    for path in paths:
        if path.is_dir() != (path.name == PLOTS):
            kind = "a folder" if path.is_dir() else "no folder"
            raise ScenarioError(f"{path} is {kind}: remove it, or name another folder")
    if read_manifest(folder).get("state") == COMPLETE:
        raise ScenarioError(f"{folder} holds a complete run: name another folder")
    # A trace that an earlier run left would be taken for this one's.
    (folder / TRACE).unlink(missing_ok=True)


def check_new_file(path: Path) -> None:
    """Refuse a file before the work whose result it is to hold.

    Raises:
        ScenarioError: It is there already, or cannot be written.
    """
    if path.exists():
        raise ScenarioError(f"{path} exists already: name another file")
    if not path.parent.is_dir():
        raise ScenarioError(f"{path.parent} is no folder: make it first")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}: name another file") from error


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest as a whole."""
    write_json(folder / MANIFEST, manifest)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a run.

    Raises:
        ScenarioError: There is none, or none that this version understands.
    """
    manifest = read_json(folder / MANIFEST, "a run's folder")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise ScenarioError(f"{folder / MANIFEST} is of another version than {SCHEMA_VERSION}")
    return manifest


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        ScenarioError: There is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as error:
        raise ScenarioError(f"{path.parent} is not {what}: {path.name} cannot be read") from error
    if not isinstance(found, dict):
        raise ScenarioError(f"{path.parent} is not {what}: {path.name} is no JSON object")
    return found


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def described_in(folder: Path) -> Described:
    """Take the scenario out of a run's manifest, exactly as it was run.

    Raises:
        ScenarioError: There is none.
    """
    values = read_manifest(folder).get("scenario")
    document = TomlText(str(folder / MANIFEST), values if isinstance(values, dict) else {}, {})
    try:
        described = read_described(document.values)
        check_runnable(described.scenario)
    except Misread as error:
        raise ScenarioError(complaint(document, error)) from error
    return described
