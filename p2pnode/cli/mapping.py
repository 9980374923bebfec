"""The command `map`: an array of jobs, with progress and partial results in a folder.

Each part is an offer of its own, so that parts run on different nodes, are compared and paid one by
one, and only what failed is run again. The folder remembers which job belongs to which part, and
the same command goes on where it stopped.
"""

import argparse
import json
import math
import os
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from p2pnode.cli.arguments import add_command
from p2pnode.cli.endings import BadInput, CannotWrite, Ending
from p2pnode.cli.output import complain, print_json, print_table
from p2pnode.map_file import Part, read_map_file

if TYPE_CHECKING:
    from p2pnode.cli.arguments import Commands
    from p2pnode.client import Client

PROGRESS_FILE = "map.json"
POLL_SECONDS = 0.5
"""Between two looks at the running parts."""

AT_ONCE_MAX = 64


def add_commands(commands: "Commands") -> None:
    """Add this command to the parser."""
    parser = add_command(commands, "map", map_jobs, "offer an array of jobs, collect their outputs")
    parser.add_argument("file", metavar="JOB.toml", type=Path)
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="outputs and progress; reused"
    )
    parser.add_argument("--at-once", metavar="N", type=int, default=4, help="open jobs, default 4")
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, help="exit with 4 after so long"
    )


@dataclass(slots=True)
class Progress:
    """What the folder remembers, written before anything depends on it."""

    folder: Path
    run: str
    """Random; makes the keys under which parts are submitted, so that none is twice."""
    fingerprints: dict[str, str]
    jobs: dict[str, str] = field(default_factory=dict)
    """The job of each part that was submitted."""
    attempts: dict[str, int] = field(default_factory=dict)
    """How often a part was given up and begun anew."""

    def save(self) -> None:
        """Replace the file as a whole."""
        record = {
            "run": self.run,
            "parts": self.fingerprints,
            "jobs": self.jobs,
            "attempts": self.attempts,
        }
        _write(self.folder / PROGRESS_FILE, json.dumps(record, indent=1).encode())

    def output(self, name: str) -> Path:
        """Say where a part's output is, once it is whole."""
        return self.folder / f"{name}.out"

    def key(self, name: str) -> str:
        """The key under which a part is submitted, the same after a crash."""
        return f"{self.run}-{self.attempts.get(name, 0)}-{name}"


def open_progress(folder: Path, parts: Sequence[Part]) -> Progress:
    """Begin in a new folder, or take up what an older one remembers.

    Raises:
        BadInput: the folder belongs to other parts, or cannot be read.
        CannotWrite: it cannot be made.
    """
    try:
        fingerprints = {part.name: part.fingerprint() for part in parts}
        folder.mkdir(parents=True, exist_ok=True)
        raw = (folder / PROGRESS_FILE).read_bytes()
    except FileNotFoundError:
        progress = Progress(folder, uuid.uuid4().hex, fingerprints)
        progress.save()
        return progress
    except OSError as error:
        raise BadInput(f"{error.filename}: {error.strerror}") from error
    try:
        record = json.loads(raw)
        known = Progress(folder, record["run"], record["parts"], record["jobs"], record["attempts"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder / PROGRESS_FILE} is damaged: choose another --out") from error
    if known.fingerprints != fingerprints:
        raise BadInput(f"{folder} belongs to other parts or terms: choose another --out")
    return known


def map_jobs(client: "Client", arguments: argparse.Namespace) -> int:
    """Offer every part that has no output yet, and collect."""
    if not 1 <= arguments.at_once <= AT_ONCE_MAX:
        raise BadInput(f"--at-once must be from 1 to {AT_ONCE_MAX}")
    if arguments.timeout is not None and not 0 < arguments.timeout < math.inf:
        raise BadInput("--timeout must be a number of seconds above 0")
    parts = read_map_file(arguments.file)
    work = _Work(client, open_progress(arguments.out, parts), parts)
    try:
        ending = work.run(arguments.at_once, arguments.timeout or math.inf)
    finally:
        work.report()
    rows = work.rows()
    if arguments.json:
        print_json(rows)
    else:
        print_table(rows, "no part")
    return ending


class _Work:
    """The parts of one call, done, running and waiting."""

    def __init__(self, client: "Client", progress: Progress, parts: Sequence[Part]) -> None:
        self._client = client
        self._progress = progress
        self._parts = {part.name: part for part in parts}
        self._failed: dict[str, str] = {}
        self._reported = ""

    def run(self, at_once: int, seconds: float) -> Ending:
        """Work until every part has ended or the time is over."""
        deadline = time.monotonic() + seconds
        while unfinished := [name for name in self._parts if not self._is_over(name)]:
            running = [name for name in unfinished if name in self._progress.jobs]
            waiting = [name for name in unfinished if name not in self._progress.jobs]
            for name in waiting[: max(0, at_once - len(running))]:
                self._submit(name)
            for name in running:
                self._look(name)
            self.report()
            if time.monotonic() > deadline:
                complain("time is over: the same command goes on from here")
                return Ending.TIMED_OUT
            time.sleep(POLL_SECONDS)
        return Ending.NOT_ACCEPTED if self._failed else Ending.DONE

    def report(self) -> None:
        """Say on the error stream how far it is, when that has changed."""
        done = sum(self._progress.output(name).exists() for name in self._parts)
        running = sum(name in self._progress.jobs for name in self._parts) - done
        line = f"{done} of {len(self._parts)} parts done, {running} running"
        if self._failed:
            line += f", {len(self._failed)} failed"
        if line != self._reported:
            print(line, file=sys.stderr, flush=True)
            self._reported = line

    def rows(self) -> list[dict[str, object]]:
        """List the parts with their jobs."""
        return [
            {
                "part": name,
                "state": self._state(name),
                "job": self._progress.jobs.get(name, ""),
            }
            for name in self._parts
        ]

    def _state(self, name: str) -> str:
        if self._progress.output(name).exists():
            return "done"
        return self._failed.get(name) or ("running" if name in self._progress.jobs else "waiting")

    def _is_over(self, name: str) -> bool:
        return name in self._failed or self._progress.output(name).exists()

    def _submit(self, name: str) -> None:
        job = self._client.submit(self._parts[name].spec, key=self._progress.key(name))
        self._progress.jobs[name] = job.id
        self._progress.save()

    def _look(self, name: str) -> None:
        from p2pnode.calls import JobFailed, ended  # noqa: PLC0415  keeps the library out of help

        job = self._progress.jobs[name]
        record = self._client.job(job)
        try:
            if ended(record):
                _write(self._progress.output(name), self._client.result(job))
        except JobFailed as failure:
            complain(f"part {name}: {failure}")
            self._failed[name] = cast("str", record.get("state") or "failed")
            # The next call begins this part anew.
            del self._progress.jobs[name]
            self._progress.attempts[name] = self._progress.attempts.get(name, 0) + 1
            self._progress.save()


def _write(path: Path, content: bytes) -> None:
    """Write a file that is there as a whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror}") from error
