"""The folder that a run on real processes leaves: a manifest and everything that was seen, by line.

manifest.json     what was played, how, and what came of it
nodes/node-N.jsonl  what a node told whoever watched: facts and counters, with `time_ns`
steps/node-N.jsonl  what a node wrote about its own core, crashes or not (`p2pnode.lab.step_log`)
requests.jsonl    what the workload asked for, when, and what became of it
faults.jsonl      each fault: planned and actual times, what it did, how the network came back
ledgers/          an export of each node's ledger
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from p2pnode.lab.testnet import LabError

MANIFEST = "manifest.json"
NODES, STEPS, LEDGERS = "nodes", "steps", "ledgers"
REQUESTS, FAULTS = "requests.jsonl", "faults.jsonl"


def claim_folder(folder: Path) -> None:
    """Make sure that a run can write here without losing anything.

    Raises:
        LabError: Something is in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise LabError(f"{folder} is not empty: name another folder with --out")


def write_manifest(folder: Path, manifest: Mapping[str, object]) -> None:
    """Write the manifest, last of all: a folder without one is of a run that did not end."""
    temporary = folder / f".{MANIFEST}.new"
    temporary.write_text(json.dumps(as_json(manifest), indent=2) + "\n")
    temporary.replace(folder / MANIFEST)


def write_lines(path: Path, rows: Iterable[object]) -> None:
    """Write one JSON object a line."""
    path.write_text("".join(json.dumps(as_json(row)) + "\n" for row in rows))


def as_json(value: object) -> object:
    """Make any value fit for JSON: bytes become digits, a dataclass in a list names its class."""
    plain: object
    match value:
        case Enum():
            plain = as_json(value.value)
        case bytes():
            plain = value.hex()
        case Struct():
            plain = as_json(asdict(value))
        case Mapping():
            plain = {str(key): as_json(one) for key, one in value.items()}
        case list() | tuple():
            plain = [
                _kind_of(one) | part if isinstance(part, dict) else part
                for one in value
                for part in (as_json(one),)
            ]
        case _ if is_dataclass(value):
            plain = {one.name: as_json(getattr(value, one.name)) for one in fields(value)}
        case _:
            plain = value
    return plain


def _kind_of(value: object) -> dict[str, object]:
    return {"class": type(value).__name__} if is_dataclass(value) else {}
