"""Runs every cell of a sweep, on all cores, and keeps each result as soon as it is there.

Any executor of the standard's interface will do. A row is on the disk before it counts, so a sweep
that was interrupted goes on where it stopped.
"""

import fcntl
import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import p2pnode
from p2pnode.lab.results import SCHEMA_VERSION
from p2pnode.lab.results.folder import (
    COMPLETE,
    CRASHED,
    INTERRUPTED,
    PARTIAL,
    RUNNING,
    write_json,
)
from p2pnode.lab.simulation.folder import read_json
from p2pnode.lab.simulation.library import ScenarioError
from p2pnode.lab.simulation.playing import Manner, is_as_expected, run_scenario
from p2pnode.lab.simulation.row_file import write_csv
from p2pnode.lab.simulation.rows import ROWS, SWEEP, Row, whole_rows
from p2pnode.lab.simulation.scenario_file import Described
from p2pnode.lab.simulation.sweep_file import Cell, Sweep
from p2pnode.lab.source import source_commit
from protocol.simulator.checks import Result
from protocol.simulator.run import Outcome

ROWS_CSV: Final = "rows.csv"
"""The same for programs that read tables; written once all runs are there."""
ROW_BYTES: Final = 2_500
"""What a row takes on the disk at most, as long as no field's name is endless."""
WINDOW: Final = 4
"""Runs handed to each process ahead of time, so that none has to wait."""
HOURS_MAX: Final = 24.0
SECONDS_PER_HOUR: Final = 3_600


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a sweep has come.

    Attributes:
        done: Of the runs that were missing when this call began.
        seconds_left: An estimate; None before anything has been run.
    """

    done: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Means:
    """With what a sweep is run.

    Attributes:
        processes: How many run at the same time.
        executor: Takes the place of processes of this machine.
        real_signatures: Whether signatures are real; a hundred times slower.
        hours_max: A sweep that is going to take longer is stopped after its first run.
        told: Told how far it has come.
    """

    processes: int = os.cpu_count() or 1
    executor: Executor | None = None
    real_signatures: bool = False
    hours_max: float = HOURS_MAX
    told: Callable[[Standing], object] = lambda _: None


def run_sweep(sweep: Sweep, folder: Path, means: Means | None = None) -> list[Row]:
    """Run what is missing of a sweep, and return the rows of all of it, in order.

    Raises:
        ScenarioError: The folder holds another sweep, or there is too little room or time.
    """
    means = means or Means()
    manifest = _open_folder(sweep, folder, means)
    with _locked_rows(folder) as file:
        rows = _read_rows(file)
        done = {(row["cell"], row["seed"]) for row in rows}
        missing = [(cell, seed) for cell, seed in sweep.runs if (cell.number, seed) not in done]
        if missing:
            manifest["commits"] = list(dict.fromkeys([*manifest["commits"], source_commit()]))
        with _kept(folder, manifest):
            check_room(folder, len(missing))
            rows += _played(file, missing, means)
            rows.sort(key=lambda row: (row["cell"], row["seed"]))
            write_csv(folder / ROWS_CSV, rows)
    return rows


def check_room(folder: Path, runs: int) -> None:
    """Refuse a sweep that would fill the disk.

    Raises:
        ScenarioError: It would take more than half of what is free.
    """
    free = shutil.disk_usage(folder).free
    if runs * ROW_BYTES > free // 2:
        raise ScenarioError(
            f"{runs} runs may take {runs * ROW_BYTES} bytes, and {free} are free in {folder}: "
            "vary less, use fewer seeds, or name a folder on another disk"
        )


def play_cell(cell: int, changes: Mapping[str, Any], described: Described, real: bool) -> Row:
    """Run one cell with one seed; called in whichever process the executor chooses."""
    begun = time.monotonic()
    outcome, metrics = run_scenario(described, Manner(real_signatures=real))
    return {
        "cell": cell,
        "seed": described.scenario.seed,
        "changes": dict(changes),
        "outcome": outcome.verdict.name.lower(),
        "as_expected": is_as_expected(described, outcome),
        "broken": _promises(outcome, Result.BROKEN),
        "unknown": _promises(outcome, Result.UNKNOWN),
        "trace": outcome.trace,
        "wall_ms": round((time.monotonic() - begun) * 1_000),
        "metrics": metrics,
    }


def _promises(outcome: Outcome, result: Result) -> list[str]:
    """Names the promises of which a run says so."""
    return [check.name for check in outcome.checks if check.result is result]


def _open_folder(sweep: Sweep, folder: Path, means: Means) -> dict[str, Any]:
    plan = sweep.plan() | {
        "version": p2pnode.__version__,
        "signatures": "real" if means.real_signatures else "stand-in",
    }
    plan = json.loads(json.dumps(plan, default=str))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScenarioError(f"{folder}: {error.strerror}: name another folder") from error
    commits: object = []
    if (folder / SWEEP).exists():
        before = read_json(folder / SWEEP, "a sweep's folder")
        if before.get("plan") != plan:
            raise ScenarioError(f"{folder} holds another sweep: name another folder")
        commits = before.get("commits")
    elif any(not path.name.endswith(PARTIAL) for path in folder.iterdir()):
        raise ScenarioError(f"{folder} holds something else: name an empty folder")
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "sweep",
        "state": RUNNING,
        "commits": [*map(str, commits)] if isinstance(commits, list) else [],
        "plan": plan,
    }


def _played(file: IO[str], missing: list[tuple[Cell, int]], means: Means) -> Iterator[Row]:
    """Yields each row once it is on the disk."""
    with _executor(means) as executor:
        for row in _results(executor, missing, means):
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
            yield row


@contextmanager
def _kept(folder: Path, manifest: dict[str, Any]) -> Iterator[None]:
    """Says in the folder how far the sweep came, whatever happens."""
    write_json(folder / SWEEP, manifest)
    try:
        yield
        manifest["state"] = COMPLETE
    except (KeyboardInterrupt, ScenarioError):
        manifest["state"] = INTERRUPTED
        raise
    except BaseException:
        manifest["state"] = CRASHED
        raise
    finally:
        write_json(folder / SWEEP, manifest)


def _opened_rows(folder: Path) -> IO[str]:
    try:
        return (folder / ROWS).open("a+", encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"{folder / ROWS}: {error.strerror}: name another folder") from error


@contextmanager
def _locked_rows(folder: Path) -> Iterator[IO[str]]:
    with _opened_rows(folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ScenarioError(f"another process runs the sweep in {folder}") from error
        yield file


def _read_rows(file: IO[str]) -> list[Row]:
    """Reads the rows that are there, and cuts off one that a crash left half-written."""
    file.seek(0)
    found = list(whole_rows(file))
    file.truncate(found[-1][1] if found else 0)
    return [row for row, _ in found]


@contextmanager
def _executor(means: Means) -> Iterator[Executor]:
    """Lends the executor that was handed in, or processes of this machine for the time."""
    if means.executor is not None:
        yield means.executor
        return
    before = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(
        means.processes, multiprocessing.get_context("spawn"), initializer=_begin_worker
    )
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        executor.shutdown()


def _begin_worker() -> None:
    """Leaves the interrupt key to the process that hands out the work, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this process once its parent is gone: a killed one cannot tell it to, and leaves it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _results(executor: Executor, missing: list[tuple[Cell, int]], means: Means) -> Iterator[Row]:
    """Yields rows as they come; the first one alone, to see how long it takes."""
    waiting: set[Future[Row]] = set()
    rest = iter(missing)
    total, begun, came = len(missing), time.monotonic(), 0
    while came < total:
        window = means.processes * WINDOW if came else 1
        for cell, seed in rest if len(waiting) < window else ():
            args = (cell.number, cell.changes, cell.describe(seed), means.real_signatures)
            waiting.add(executor.submit(play_cell, *args))
            if len(waiting) >= window:
                break
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            row = future.result()
            yield row
            came += 1
            if came == 1:
                left = (total - 1) * row["wall_ms"] / 1_000 / means.processes
                begun = time.monotonic()
                _check_time(left, means)
            else:
                left = (time.monotonic() - begun) * (total - came) / (came - 1)
            means.told(Standing(came, total, left))


def _check_time(seconds: float, means: Means) -> None:
    if seconds > means.hours_max * SECONDS_PER_HOUR:
        raise ScenarioError(
            f"the sweep is going to take about {seconds / SECONDS_PER_HOUR:.1f} hours, more than "
            f"{means.hours_max:g}: vary less, or allow more with --hours; what is done is kept"
        )
