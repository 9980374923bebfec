"""Whether this machine can run shaders: asked once, in a process of its own.

Drivers are other people's code and are not loaded into the node. The question is put to a process
that confines itself as a worker does, because a driver that needs files later is of no use.
"""

import os
import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import p2pnode
from p2pnode.execution import sandbox

DRIVER_FOLDERS = (Path("/usr/share/vulkan/icd.d"), Path("/etc/vulkan/icd.d"))
"""Where drivers say that they are there."""

ANSWER_SECONDS = 30
"""For loading a driver from a cold disk, which takes a second from a warm one."""

GROWTH_BYTES = 256 * 2**20
"""What the question may take."""


@cache
def software_driver() -> str:
    """Name the driver and runtime with which the processor runs shaders; empty without one."""
    if find_spec("wgpu") is None or not any(any(one.glob("*.json")) for one in DRIVER_FOLDERS):
        return ""
    command = [sys.executable, "-P", "-B", "-m", "p2pnode.execution.vulkan", str(os.getpid())]
    command.append(sandbox.process_namespace())
    try:
        answer = subprocess.run(  # noqa: S603 - our own command, no shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"PYTHONPATH": str(Path(p2pnode.__file__).parent.parent)},
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.decode(errors="replace").strip() if answer.returncode == 0 else ""


def _answer(parent_pid: int, parent_namespace: str) -> None:
    """Confine this process, run a shader, and print the driver's name."""
    walls = sandbox.detach(parent_pid, parent_namespace)
    from p2pnode.execution import kind_wgsl  # noqa: PLC0415 - only in this process

    kind_wgsl.load()
    status = sandbox.open_status()
    sandbox.lock(walls, threads=kind_wgsl.NEEDS_THREADS)
    sandbox.limit_time(ANSWER_SECONDS * 1000)
    sandbox.limit_memory(status, GROWTH_BYTES)
    name = "-".join(re.findall(r"[\w./-]+", kind_wgsl.description()))
    sys.stdout.write(name.replace("-/", "/"))


if __name__ == "__main__":
    _answer(int(sys.argv[1]), sys.argv[2])
    sys.stdout.flush()
    os._exit(0)
