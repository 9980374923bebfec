"""The rows of a sweep, one line of JSON for each run, and what each of them must have."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, Literal, TypedDict

import msgspec

from p2pnode.lab.results import Metrics, wait_of
from p2pnode.lab.simulation.folder import read_json
from p2pnode.lab.simulation.library import ScenarioError

SWEEP: Final = "sweep.json"
ROWS: Final = "rows.jsonl"

Row = dict[str, Any]


class _Beyond(TypedDict):
    beyond_ms: float


class _Row(TypedDict):
    cell: int
    seed: int
    changes: dict[str, Any]
    outcome: Literal["pass", "safety", "liveness", "unknown", "crash"]
    as_expected: bool
    broken: list[str]
    unknown: list[str]
    trace: str
    wall_ms: float
    metrics: dict[str, int | float | _Beyond]


_ROWS: Final = msgspec.json.Decoder(_Row)


def read_rows(folder: Path) -> list[Row]:
    """Read the rows of a sweep, complete or not.

    Raises:
        ScenarioError: The folder holds no sweep, or its rows are damaged.
    """
    read_json(folder / SWEEP, "a sweep's folder")
    try:
        with (folder / ROWS).open(encoding="utf-8") as file:
            return [row for row, _ in whole_rows(file)]
    except OSError as error:
        raise ScenarioError(f"{folder / ROWS}: {error.strerror}: run the sweep again") from error


def whole_rows(file: IO[str]) -> Iterator[tuple[Row, int]]:
    """Yield each whole row, and the offset of its end in bytes.

    Raises:
        ScenarioError: One is damaged.
    """
    end = number = 0
    try:
        for line in file:
            number += 1
            if not line.endswith("\n"):
                return
            end += len(line.encode())
            yield dict(_ROWS.decode(line)), end
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error
        raise ScenarioError(
            f"{file.name}, line {number}: the row is damaged ({reason}): "
            "remove it, and run the sweep again"
        ) from error


def check_metrics(metrics: Metrics) -> None:
    """Compare the metrics of a run with what they must be.

    Raises:
        ValueError: One is neither a number nor a time that was cut short.
    """
    try:
        msgspec.convert(metrics, dict[str, int | float | _Beyond])
        if not all(math.isfinite(wait_of(one).time_ms) for one in metrics.values()):
            raise ValueError("a metric is endless")
    except OverflowError as error:
        raise ValueError("a metric is too large") from error
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
