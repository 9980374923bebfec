"""One worker process as the runner sees it: started, spoken to, and certainly gone at the end.

The process leads a session of its own, so that one signal reaches all of it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Final

import trio

import p2pnode
from p2pnode.execution import frames

STDERR_BYTES_MAX = 8192
"""How much of a worker's complaints is kept: the end of it."""

RECEIVE_BYTES = 65536
"""Bytes asked of a pipe at once."""

GPU_VARIABLES = ("LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH")
"""What a driver's libraries may need from the node's own environment."""


class WorkerProcess:
    """A worker of one kind, which will run one task."""

    def __init__(self, kind: str, device: str) -> None:
        """Start the process; it loads its libraries while the caller does something else.

        The process is started here and not in a helper thread: the kernel ends it when the thread
        that started it ends, and helper threads come and go.

        Raises:
            OSError: if the process or its folder cannot be made.
        """
        self.kind: Final = kind
        with contextlib.ExitStack() as undo:
            self._folder = Path(tempfile.mkdtemp(prefix="p2pnode-task-"))
            undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
            result_fd, child_result_fd = os.pipe()
            undo.callback(os.close, result_fd)
            try:
                self._popen = _start(_command(kind, device, child_result_fd), device, self._folder)
            finally:
                os.close(child_result_fd)
            undo.callback(self._popen.wait)
            undo.callback(self._popen.kill)
            self._pidfd = os.pidfd_open(self._popen.pid)
            undo.pop_all()
        assert self._popen.stdin is not None
        assert self._popen.stderr is not None
        self._stdin = _adopt(self._popen.stdin)
        self._stderr = _adopt(self._popen.stderr)
        self._result = trio.lowlevel.FdStream(result_fd)
        self._complaints = bytearray()
        self._gone = False

    @property
    def pid(self) -> int:
        """The process, and the process group that it leads."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """The exit status, negative for a signal; None until `kill` or `wait_gone` returned."""
        return self._popen.returncode

    @property
    def complaints(self) -> str:
        """The end of what the process wrote to its standard error."""
        return self._complaints.decode(errors="replace")

    async def wait_ready(self) -> bool:
        """Wait until the libraries are loaded; False if the process ended instead."""
        return bytes(await self._result.receive_some(1)) == frames.READY

    async def send(self, frame: bytes) -> None:
        """Send the task and close the way in; a process that ended meanwhile is no error here."""
        with contextlib.suppress(trio.BrokenResourceError):
            await self._stdin.send_all(frame)
        await self._stdin.aclose()

    async def receive(self, bytes_max: int) -> bytes | None:
        """Read the body of the answer; None if the process ended without a whole one.

        Raises:
            AnswerError: if the process announces more than `bytes_max`.
        """
        header = await self._receive_exactly(frames.HEADER.size)
        if header is None:
            return None
        (length,) = frames.HEADER.unpack(header)
        if length > bytes_max:
            raise AnswerError(f"{length} bytes announced")
        return await self._receive_exactly(length)

    async def collect_complaints(self) -> None:
        """Read the standard error to its end, keeping the last of it."""
        with contextlib.suppress(trio.ClosedResourceError):
            while part := await self._stderr.receive_some(RECEIVE_BYTES):
                self._complaints += part
                del self._complaints[:-STDERR_BYTES_MAX]

    def resident_bytes(self) -> int:
        """Say how much physical memory the process has now; 0 if it is gone."""
        try:
            fields = Path(f"/proc/{self.pid}/statm").read_bytes().split()
        except OSError:
            return 0
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    async def wait_gone(self) -> None:
        """Wait for the process to end, end what it left in its group, and reap it."""
        await trio.lowlevel.wait_readable(self._pidfd)
        # Until it is reaped, the group's number cannot belong to anyone else.
        os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()

    async def kill(self) -> None:
        """End the whole process group, reap it and remove its folder; not to be cancelled."""
        if self._gone:
            return
        self._gone = True
        with trio.CancelScope(shield=True):
            if self._popen.returncode is None:
                os.killpg(self.pid, signal.SIGKILL)
                await self.wait_gone()
            for stream in (self._stdin, self._stderr, self._result):
                await stream.aclose()
        os.close(self._pidfd)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _receive_exactly(self, length: int) -> bytes | None:
        received = bytearray()
        while len(received) < length:
            part = await self._result.receive_some(min(RECEIVE_BYTES, length - len(received)))
            if not part:
                return None
            received += part
        return bytes(received)


class AnswerError(Exception):
    """A worker announces more bytes than its task may answer."""


def _start(command: list[str], device: str, folder: Path) -> "subprocess.Popen[bytes]":
    result_fd = int(command[-2])
    return subprocess.Popen(  # noqa: S603 - our own command, no shell
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=_environment(device),
        pass_fds=[result_fd],
        start_new_session=True,
    )


def _adopt(pipe: IO[bytes]) -> trio.lowlevel.FdStream:
    """Let trio own a pipe that the standard library opened."""
    with pipe:
        return trio.lowlevel.FdStream(os.dup(pipe.fileno()))


def _command(kind: str, device: str, result_fd: int) -> list[str]:
    module = ["-P", "-B", "-m", "p2pnode.execution.worker"]
    return [sys.executable, *module, kind, device, str(result_fd), str(os.getpid())]


def _environment(device: str) -> dict[str, str]:
    """Give a worker nothing of the node's environment but what it cannot do without."""
    root = Path(p2pnode.__file__).parent.parent
    variables = {
        "PYTHONPATH": str(root),
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
    }
    if device != "cpu":
        # Without it CUDA counts the fastest first and the driver's library does not.
        variables["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        variables["CUDA_CACHE_DISABLE"] = "1"
        variables["CUDA_VISIBLE_DEVICES"] = device.partition(":")[2]
        variables |= {name: os.environ[name] for name in GPU_VARIABLES if name in os.environ}
    return variables
