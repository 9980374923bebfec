"""Scenario texts and rows of sweeps, with defaults."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

NODES = """[nodes]
members = 5
"""
REST = """[links]
delay = { law = "uniform", low = "20 ms", high = "60 ms" }
[workload]
transfers = 4
jobs = 1
span = "4 s"
[stop]
safety = "8 s"
"""
FAULT = """[[fault]]
kind = "partition"
at = "3 s"
for = "3 s"
groups = "3/2"
"""


def text(*, name: str = "example", nodes: str = NODES, rest: str = REST, fault: str = FAULT) -> str:
    """A scenario file, whose first fault begins in line 12."""
    return f'name = "{name}"\n{nodes}{rest}{fault}'


def write_sweep(
    folder: Path, rows: Iterable[Mapping[str, Any]], manifest: Mapping[str, Any]
) -> Path:
    """A sweep's folder; rows passed where they do not say otherwise."""
    folder.mkdir()
    (folder / "sweep.json").write_text(json.dumps(manifest))
    whole: dict[str, Any] = {"outcome": "pass", "as_expected": True, "broken": [], "unknown": []}
    whole |= {"trace": "00", "wall_ms": 1}
    (folder / "rows.jsonl").write_text("".join(json.dumps(whole | row) + "\n" for row in rows))
    return folder
