"""One worker process as the runner sees it: started, spoken to, and certainly gone at the end.

The process leads a session of its own, so that one signal reaches all of it. Inside bubblewrap it
is the last of a short chain, whose first process ends them all.
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
from p2pnode.execution.sandbox import process_namespace

STDERR_BYTES_MAX = 8192
"""How much of a worker's complaints is kept: the end of it."""

RECEIVE_BYTES = 65536
"""Bytes asked of a pipe at once."""

WORKER_MODULE = "p2pnode.execution.worker"
"""What a worker process runs."""

WRAPPED_SIGNAL = 128
"""What bubblewrap adds to the number of the signal that ended its child."""

POLL_SECONDS = 0.01
"""Between two looks at a process on systems that announce no end."""

GPU_VARIABLES = ("LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH")
"""What a driver's libraries may need from the node's own environment."""


class WorkerProcess:
    """A worker of one kind, which will run one task."""

    def __init__(
        self, kind: str, device: str, wrapper: tuple[str, ...] = (), board: str = ""
    ) -> None:
        """Start the process; it loads its libraries while the caller does something else.

        The process is started here and not in a helper thread: the kernel ends it when the thread
        that started it ends, and helper threads come and go.

        Args:
            kind: of the tasks that it will take.
            device: where the task will run.
            wrapper: the command that starts it in a process namespace of its own, if any.
            board: the UUID of the only GPU or slice that it shall see; empty for none.

        Raises:
            OSError: if the process or its folder cannot be made.
        """
        self.kind: Final = kind
        self.device: Final = device
        self.level = 0
        self._wrapped = bool(wrapper)
        with contextlib.ExitStack() as undo:
            self._folder = Path(tempfile.mkdtemp(prefix="p2pnode-task-"))
            undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
            result_fd, child_result_fd = os.pipe()
            undo.callback(os.close, result_fd)
            command = [*wrapper, *_command(kind, device, child_result_fd)]
            try:
                self._popen = _start(command, child_result_fd, board, self._folder)
            finally:
                os.close(child_result_fd)
            undo.callback(self._popen.wait)
            undo.callback(self._popen.kill)
            self._pidfd = _open_pidfd(self._popen.pid)
            undo.pop_all()
        assert self._popen.stdin is not None
        assert self._popen.stderr is not None
        self._stdin = _adopt(self._popen.stdin)
        self._stderr = _adopt(self._popen.stderr)
        self._result = trio.lowlevel.FdStream(result_fd)
        self._complaints = bytearray()
        self._worker_pid = self._popen.pid
        self._gone = False

    @property
    def pid(self) -> int:
        """The process, and the process group that it leads."""
        return self._popen.pid

    @property
    def worker_pid(self) -> int:
        """The process that computes: inside a wrapper, the last of its chain."""
        return self._worker_pid

    @property
    def exit_code(self) -> int | None:
        """The exit status, negative for a signal; None until `kill` or `wait_gone` returned."""
        code = self._popen.returncode
        if self._wrapped and code is not None and code > WRAPPED_SIGNAL:
            return int(WRAPPED_SIGNAL - code)
        return code

    @property
    def complaints(self) -> str:
        """The end of what the process wrote to its standard error."""
        return self._complaints.decode(errors="replace")

    async def wait_ready(self) -> bool:
        """Wait until it is loaded and locked, and keep its level; False if it ended instead."""
        said = await self._receive_exactly(len(frames.ready(0)))
        if said is None or said[:1] != frames.READY:
            return False
        self.level = said[1]
        self._worker_pid = _last_descendant(self.pid) if self._wrapped else self.pid
        return True

    def has_ended(self) -> bool:
        """Say whether a process that waits for its task is not there any more."""
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, flags) is not None

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
            fields = Path(f"/proc/{self._worker_pid}/statm").read_bytes().split()
        except OSError:
            return 0
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    async def wait_gone(self) -> None:
        """Wait for the process to end, end what it left in its group, and reap it."""
        if self._pidfd is not None:
            await trio.lowlevel.wait_readable(self._pidfd)
        while not self.has_ended():  # noqa: ASYNC110 - some systems set no event
            await trio.sleep(POLL_SECONDS)
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
        if self._pidfd is not None:
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


def _start(
    command: list[str], result_fd: int, board: str, folder: Path
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - our own command, no shell
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=_environment(board),
        pass_fds=[result_fd],
        start_new_session=True,
    )


def _open_pidfd(pid: int) -> int | None:
    """Open what tells of a process's end; None on systems that have no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _last_descendant(pid: int) -> int:
    """Follow a chain of processes to its end, which is the worker inside its wrapper."""
    while True:
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return pid
        if not children:
            return pid
        pid = int(children[0])


def _adopt(pipe: IO[bytes]) -> trio.lowlevel.FdStream:
    """Let trio own a pipe that the standard library opened."""
    with pipe:
        return trio.lowlevel.FdStream(os.dup(pipe.fileno()))


def _command(kind: str, device: str, result_fd: int) -> list[str]:
    parent = [str(os.getpid()), process_namespace()]
    return [sys.executable, "-P", "-B", "-m", WORKER_MODULE, kind, device, str(result_fd), *parent]


def _environment(board: str) -> dict[str, str]:
    """Give a worker nothing of the node's environment but what it cannot do without."""
    root = Path(p2pnode.__file__).parent.parent
    variables = {
        "PYTHONPATH": str(root),
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
    }
    # Numbers of GPUs differ between CUDA and the driver's library, and change when one is removed.
    variables["CUDA_VISIBLE_DEVICES"] = board
    if board:
        variables["CUDA_CACHE_DISABLE"] = "1"
        variables |= {name: os.environ[name] for name in GPU_VARIABLES if name in os.environ}
    return variables
