import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from p2pnode.lab.processes import (
    Life,
    ProcessId,
    identify,
    life_of,
    parse_process,
    send_signal,
    spawn,
    stop,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
    " time.sleep(60)",
]
OWNED = """
import sys, time
from p2pnode.lab.processes import live_only_with, parse_process
live_only_with(parse_process(sys.argv[1]))
print("owned", flush=True)
time.sleep(60)
"""
OWNER = """
import os, subprocess, sys, time
from p2pnode.lab.processes import identify
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(identify(os.getpid()))])
time.sleep(60)
"""


def wait_until(holds: "object", seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():  # type: ignore[operator]  # a function without arguments
            return True
        time.sleep(0.02)
    return False


def started(tmp_path: Path, command: list[str]) -> ProcessId:
    return spawn(command, tmp_path / "log", os.environ)


def said(tmp_path: Path, word: str) -> bool:
    return wait_until(lambda: word in (tmp_path / "log").read_text())


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    own = identify(os.getpid())
    assert own is not None
    assert parse_process(str(own)) == own
    assert life_of(own) is Life.RUNNING
    other = ProcessId(own.pid, own.started - 1)
    assert life_of(other) is Life.GONE
    assert not send_signal(other, signal.SIGKILL)


def test_a_process_can_be_paused_and_go_on(tmp_path: Path) -> None:
    process = started(tmp_path, SLEEP)
    send_signal(process, signal.SIGSTOP)
    assert wait_until(lambda: life_of(process) is Life.PAUSED)
    send_signal(process, signal.SIGCONT)
    assert wait_until(lambda: life_of(process) is Life.RUNNING)
    assert stop([process], 5) == 0
    assert life_of(process) is Life.GONE
    assert not send_signal(process, signal.SIGTERM)


def test_a_paused_process_is_stopped_politely(tmp_path: Path) -> None:
    process = started(tmp_path, SLEEP)
    send_signal(process, signal.SIGSTOP)
    assert stop([process], 5) == 0


def test_a_process_that_does_not_listen_is_killed_after_the_grace(tmp_path: Path) -> None:
    process = started(tmp_path, STUBBORN)
    assert said(tmp_path, "deaf")
    assert stop([process, None], 0.3) == 1
    assert life_of(process) is Life.GONE


def test_a_process_does_not_outlive_its_owner_by_name(tmp_path: Path) -> None:
    owner = started(tmp_path, SLEEP)
    owned = started(tmp_path, [sys.executable, "-c", OWNED, str(owner)])
    assert said(tmp_path, "owned")
    assert life_of(owned) is Life.RUNNING
    send_signal(owner, signal.SIGKILL)
    assert wait_until(lambda: life_of(owned) is Life.GONE)


def test_even_a_paused_process_does_not_outlive_the_parent_that_owns_it(tmp_path: Path) -> None:
    owner = started(tmp_path, [sys.executable, "-c", OWNER, OWNED])
    assert said(tmp_path, "owned")
    children = Path(f"/proc/{owner.pid}/task/{owner.pid}/children").read_text().split()
    owned = identify(int(children[0]))
    send_signal(owned, signal.SIGSTOP)
    assert wait_until(lambda: life_of(owned) is Life.PAUSED)
    send_signal(owner, signal.SIGKILL)
    assert wait_until(lambda: life_of(owned) is Life.GONE)


def test_nothing_starts_for_an_owner_that_is_gone() -> None:
    own = identify(os.getpid())
    assert own is not None
    late = ProcessId(own.pid, own.started - 1)
    done = subprocess.run(
        [sys.executable, "-c", OWNED, str(late)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "gone" in done.stderr
