import ctypes
import subprocess
import sys
from pathlib import Path

from p2pnode.execution import sandbox
from tests.p2pnode.execution.builders import ROOT

SCRIPT = """
import os, resource, socket, sys, threading
from p2pnode.execution import sandbox

def attempt(name, action):
    try:
        action()
        print(name, "allowed")
    except (OSError, MemoryError) as error:
        print(name, type(error).__name__)

sandbox.detach(os.getppid())
status = sandbox.open_status()
attempt("open before", lambda: open("/etc/hosts").close())
sandbox.forbid_files()
attempt("remove after", lambda: os.unlink(sys.argv[1]))
attempt("open after", lambda: open("/etc/hosts").close())
sandbox.confine(status, 64 * 2**20, 1000, device_files=False)
attempt("socket after", socket.socket)
attempt("pipe after", os.pipe)
attempt("small memory", lambda: bytearray(2**24))
attempt("large memory", lambda: bytearray(2**28))
print("privileges", "NoNewPrivs:\\t1" in os.pread(status, 8192, 0).decode())
print("core", resource.getrlimit(resource.RLIMIT_CORE))
print("peak", sandbox.peak_memory_bytes(status) > 2**20)
"""


def test_a_confined_process_can_only_compute(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.touch()
    result = _run(SCRIPT, str(scratch))
    answers = dict(line.rsplit(" ", 1) for line in result.stdout.splitlines() if "core" not in line)
    with_landlock = {"PermissionError"} if _has_landlock() else {"allowed"}
    assert {answers.pop("remove after"), answers.pop("open after")} == with_landlock
    assert answers == {
        "open before": "allowed",
        "socket after": "OSError",
        "pipe after": "OSError",
        "small memory": "allowed",
        "large memory": "MemoryError",
        "privileges": "True",
        "peak": "True",
    }
    assert "core (0, 0)" in result.stdout


def test_a_process_whose_parent_is_gone_ends_itself() -> None:
    script = "from p2pnode.execution import sandbox; sandbox.detach(1); print('still here')"
    result = _run(script)
    assert (result.stdout, result.returncode) == ("", 1)
    assert "the parent process is gone" in result.stderr


def _has_landlock() -> bool:
    version_flag = 1
    call: int = ctypes.CDLL(None).syscall(sandbox.LANDLOCK_CREATE_RULESET, None, 0, version_flag)
    return call >= 1


def _run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
