import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from p2pnode.execution import kernel, landlock, sandbox, seccomp
from p2pnode.execution.sandbox import Walls
from tests.p2pnode.execution.builders import ROOT

ATTEMPTS = """
import ctypes, json, os, resource, socket, sys, threading, time
from p2pnode.execution import sandbox

outcomes = {}
def attempt(name, action):
    try:
        action()
        outcomes[name] = "allowed"
    except (OSError, MemoryError, RuntimeError) as error:
        outcomes[name] = getattr(error, "errno", None) or type(error).__name__

def everything(moment):
    attempt(f"{moment}: read", lambda: os.close(os.open("/etc/passwd", os.O_RDONLY)))
    attempt(f"{moment}: look up", lambda: os.stat("/etc"))
    attempt(f"{moment}: remove", lambda: os.unlink(sys.argv[1] + moment))
    attempt(f"{moment}: internet", lambda: socket.socket(socket.AF_INET).close())
    attempt(f"{moment}: local socket", lambda: socket.socket(socket.AF_UNIX).close())
    attempt(f"{moment}: pipe", lambda: [os.close(end) for end in os.pipe()])
    attempt(f"{moment}: signal", lambda: os.kill(os.getppid(), 0))
    memory = f"/proc/{os.getppid()}/mem"
    attempt(f"{moment}: memory of others", lambda: os.close(os.open(memory, os.O_RDONLY)))
    def fork():
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    attempt(f"{moment}: fork", fork)
    def thread():
        started = threading.Thread(target=time.sleep, args=(0.001,))
        started.start()
        started.join()
    attempt(f"{moment}: thread", thread)

everything("before")
while len(os.listdir("/proc/self/task")) > 1:
    time.sleep(0.001)  # The kernel still counts a thread that has just been joined.
walls = sandbox.detach(os.getppid(), sandbox.process_namespace())
status = sandbox.open_status()
begun = time.perf_counter()
walls = sandbox.lock(walls, threads=len(sys.argv) > 2)
sandbox.limit_time(1000)
sandbox.limit_memory(status, 64 * 2**20)
everything("after")
attempt("small memory", lambda: bytearray(2**24))
attempt("large memory", lambda: bytearray(2**28))
outcomes["raised limit"] = "refused"
try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    outcomes["raised limit"] = "allowed"
except (OSError, ValueError):
    pass
outcomes["privileges"] = "NoNewPrivs:\\t1" in os.pread(status, 8192, 0).decode()
outcomes["core"] = resource.getrlimit(resource.RLIMIT_CORE)
outcomes["peak"] = sandbox.peak_memory_bytes(status) > 2**20
outcomes["level"] = walls.level
os.write(1, json.dumps(outcomes).encode())
os._exit(0)
"""

FATAL = """
import ctypes, os
from p2pnode.execution import kernel, sandbox, system_calls
sandbox.lock(sandbox.detach(os.getppid(), sandbox.process_namespace()), threads=False)
os.write(1, b"locked")
(number,) = system_calls.numbers_for({"call": system_calls.FATAL[NAME]}, kernel.architecture())
try:
    kernel.system_call(number, 0, 0, 0, 0, 0)
except OSError:
    os.write(1, b" and alive")
"""

EPERM, EMFILE = 1, 24
NOBODY = 65534

needs_all = pytest.mark.skipif(
    not (landlock.version() and seccomp.is_written_for(kernel.architecture())),
    reason="for want of a kernel with Landlock on x86-64 or aarch64",
)


@needs_all
@pytest.mark.parametrize("user", [None, NOBODY], ids=["as who runs the tests", "as a plain user"])
def test_a_locked_process_can_only_compute(tmp_path: Path, user: int | None) -> None:
    outcomes = _outcomes(tmp_path, user)
    before = {name: found for name, found in outcomes.items() if name.startswith("before")}
    if user is None and os.getuid() == 0:
        assert set(before.values()) == {"allowed"}, "what is refused later worked before"
    assert {before["before: read"], before["before: fork"], before["before: thread"]} == {"allowed"}
    after = {name: found for name, found in outcomes.items() if name.startswith("after")}
    assert len(after) == len(before)
    assert set(after.values()) <= {EPERM, EMFILE, "RuntimeError"}, after
    rest = {name: found for name, found in outcomes.items() if name not in before | after}
    assert rest == {
        "small memory": "allowed",
        "large memory": "MemoryError",
        "raised limit": "refused",
        "privileges": True,
        "core": [0, 0],
        "peak": True,
        "level": sandbox.LEVEL_TWO_WALLS,
    }


@needs_all
def test_a_kind_that_needs_threads_gets_them_and_no_processes(tmp_path: Path) -> None:
    outcomes = _outcomes(tmp_path, None, "threads")
    assert outcomes["after: thread"] == "allowed"
    assert outcomes["after: fork"] == EPERM


@needs_all
@pytest.mark.parametrize(
    "name", ["execve", "ptrace", "mount", "unshare", "bpf", "keyctl", "io_uring_setup"]
)
def test_calls_that_only_an_attack_makes_end_the_process(name: str) -> None:
    result = _run(f"NAME = {name!r}\n{FATAL}")
    assert (result.stdout, result.returncode) == ("locked", -signal.SIGSYS)


def test_a_process_whose_parent_is_gone_ends_itself() -> None:
    script = (
        "from p2pnode.execution import sandbox;"
        " sandbox.detach(1, sandbox.process_namespace()); print('still here')"
    )
    result = _run(script)
    assert (result.stdout, result.returncode) == ("", 1)
    assert "the parent process is gone" in result.stderr


@pytest.mark.parametrize(
    ("walls", "level"),
    [
        (Walls(), 0),
        (Walls(namespaces=True, own_processes=True), 0),
        (Walls(files=True), 1),
        (Walls(calls=True), 2),
        (Walls(calls=True, files=True, own_processes=True), 2),
        (Walls(calls=True, files=True, namespaces=True), 3),
        (Walls(calls=True, files=True, namespaces=True, own_processes=True), 4),
    ],
)
def test_a_level_counts_only_what_stands(walls: Walls, level: int) -> None:
    assert walls.level == level


def test_a_system_without_the_calls_leaves_limits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert landlock.version() == 0
    for call in (lambda: kernel.unshare(0), lambda: kernel.prctl(kernel.PR_SET_DUMPABLE, 1)):
        with pytest.raises(OSError, match="not on this system"):
            call()


def _outcomes(folder: Path, user: int | None, *arguments: str) -> dict[str, object]:
    interpreter = _interpreter_for(user)
    for moment in ("before", "after"):
        (folder / f"scratch-{moment}").touch()
    result = subprocess.run(
        [interpreter, "-c", ATTEMPTS, str(folder / "scratch-"), *arguments],
        env={"PYTHONPATH": str(ROOT)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        user=user,
        extra_groups=None if user is None else [],
    )
    assert result.stdout, result.stderr
    found: dict[str, object] = json.loads(result.stdout)
    return found


def _interpreter_for(user: int | None) -> str:
    """Find an interpreter that the user may start: root's own is often out of reach."""
    if user is None:
        return sys.executable
    if os.getuid() != 0:
        pytest.skip("for want of root, which could become another user")
    for candidate in (sys.executable, "/usr/bin/python3"):
        check: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run
        try:
            done = check(
                [
                    candidate,
                    "-c",
                    "import sys, p2pnode.execution; assert sys.version_info >= (3, 11)",
                ],
                env={"PYTHONPATH": str(ROOT)},
                cwd="/",
                user=user,
                extra_groups=[],
                capture_output=True,
                check=False,
            )
        except PermissionError:
            continue
        if done.returncode == 0:
            return candidate
    pytest.skip(f"for want of an interpreter and a source tree that user {user} may read")


def _run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
