"""Finds out what this machine offers for locking workers up, by locking one up and trying.

The node starts a process of this module once, at its start. It builds the same walls as a worker,
then tries what they should refuse, and says what happened. Nothing is taken from the version of the
kernel or from a setting: only what was refused counts.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import trio

import p2pnode
from p2pnode.execution import sandbox
from p2pnode.execution.sandbox import Walls

PROBE_SECONDS = 20
"""For the process to start and answer: a tenth of a second, except on a very busy machine."""

WRAPPER = (
    *("bwrap", "--unshare-pid", "--die-with-parent"),
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--"),
)
"""Starts a worker in a process namespace of its own, with nothing that it could write to."""


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """What was found at the start of the node."""

    walls: Walls = field(default_factory=Walls)
    wrapper: tuple[str, ...] = ()
    """The command before a worker's own; empty where bubblewrap is missing or does not work."""
    leaks: tuple[str, ...] = ()
    """What should have been refused and was not, which leaves no level above 0."""
    why: str = ""
    """Why the probe gave no answer; empty if it did."""

    @property
    def level(self) -> int:
        """The sandbox level of tasks on the processor."""
        return 0 if self.leaks or self.why else self.walls.level

    def level_on(self, device: str) -> int:
        """Give the level on a device: a GPU's driver needs files, so that nothing is locked."""
        return self.level if device == "cpu" else 0

    @property
    def advice(self) -> tuple[str, ...]:
        """Say what is missing and what to do about it, a sentence each."""
        if self.why:
            return (f"The sandbox could not be probed: {self.why}.",)
        found = [f"The sandbox lets through: {', '.join(self.leaks)}."] if self.leaks else []
        missing = {
            "calls": "The system call filter is missing: it needs Linux on x86-64 or aarch64.",
            "files": "Landlock is missing: it needs Linux 5.13 or later with Landlock enabled.",
            "namespaces": "Namespaces are refused: allow user namespaces to this account.",
            "own_processes": "No process namespace: install bubblewrap (Debian: bubblewrap).",
        }
        walls = asdict(self.walls)
        return (*found, *(text for name, text in missing.items() if not walls[name]))

    def view(self) -> Mapping[str, object]:
        """Make it ready for JSON."""
        return {"level": self.level, **asdict(self.walls), "advice": list(self.advice)}


async def probe() -> SandboxReport:
    """Find out what this machine offers; never fails."""
    best = await _probe_with(())
    if shutil.which(WRAPPER[0]) is not None:
        wrapped = await _probe_with(WRAPPER)
        if wrapped.level > best.level:
            return wrapped
    return best


async def _probe_with(wrapper: tuple[str, ...]) -> SandboxReport:
    module = [sys.executable, "-P", "-B", "-m", "p2pnode.execution.probe"]
    parent = [str(os.getpid()), sandbox.process_namespace()]
    environment = {"PYTHONPATH": str(Path(p2pnode.__file__).parent.parent), "LC_ALL": "C.UTF-8"}
    environment |= {"PATH": os.environ.get("PATH", os.defpath)}
    try:
        with trio.fail_after(PROBE_SECONDS):
            done = await trio.run_process(
                [*wrapper, *module, *parent],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env=environment,
            )
    except (OSError, trio.TooSlowError) as error:
        return SandboxReport(why=str(error) or "no answer in time")
    return _read(done, wrapper)


def _read(done: "subprocess.CompletedProcess[bytes]", wrapper: tuple[str, ...]) -> SandboxReport:
    try:
        found = json.loads(done.stdout)
        return SandboxReport(Walls(**found["walls"]), wrapper, tuple(found["leaks"]))
    except (ValueError, KeyError, TypeError):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return SandboxReport(why=f"exit status {done.returncode} {' '.join(last)}".strip())


def leaks_of(walls: Walls, parent_pid: int) -> tuple[str, ...]:
    """Try what the walls of this process should refuse, and name what was not refused."""
    attempts: dict[str, Callable[[], object]] = {}
    if walls.files or walls.calls:
        attempts["reading a file"] = lambda: os.open("/proc/self/stat", os.O_RDONLY)
        attempts["making a file"] = lambda: os.open(".", os.O_TMPFILE | os.O_WRONLY)
    if walls.calls:
        attempts["an internet socket"] = lambda: socket.socket(socket.AF_INET)
        attempts["a local socket"] = lambda: socket.socket(socket.AF_UNIX)
        attempts["a new process"] = _fork
        attempts["a pipe"] = os.pipe
        attempts["looking a path up"] = lambda: Path("/").stat()
        attempts["a signal to the parent"] = lambda: os.kill(parent_pid, 0)
    return tuple(name for name, attempt in attempts.items() if _is_let_through(attempt))


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _is_let_through(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def main(arguments: list[str]) -> None:
    """Lock this process up, try the walls, and print what was found."""
    parent_pid, namespace = int(arguments[0]), arguments[1]
    walls = sandbox.lock(sandbox.detach(parent_pid, namespace), threads=False)
    answer = {"walls": asdict(walls), "leaks": leaks_of(walls, os.getppid())}
    os.write(1, json.dumps(answer).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)
