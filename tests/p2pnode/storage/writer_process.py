"""Processes that append without pause until they are killed.

Run as a program, this is the spawner: it imports everything once and forks a writer for each line
that it is given, since starting an interpreter for each kill would take most of the test's time.
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import trio

from tests.p2pnode.storage.builders import block, journal_in, slot

PRODUCERS = 4
START_LIMIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a killed writer had said about its batches."""

    begun: frozenset[int]
    acknowledged: frozenset[int]


class Spawner:
    """The test's side: starts the spawner process and asks it for writers."""

    def __enter__(self) -> "Spawner":
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=START_LIMIT_SECONDS)

    def spawn(self, folder: Path, generation: int) -> "Writer":
        output = folder / f"report-{generation}"
        os.mkfifo(output)
        reading = os.open(output, os.O_RDONLY | os.O_NONBLOCK)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{generation} {folder} {output}\n".encode())
        self._process.stdin.flush()
        return Writer(int(self._process.stdout.readline()), reading, self._process)


class Writer:
    """One writing process."""

    def __init__(self, pid: int, reading: int, spawner: "subprocess.Popen[bytes]") -> None:
        self._pid = pid
        self._reading = reading
        self._spawner = spawner

    def kill_after(self, seconds: float, recovering: bool) -> Report:
        """Kills the writer this long after its first acknowledgement, and reads what it said.

        A writer that is to be killed while it recovers is not waited for.
        """
        said = b"" if recovering else self._read_until(b"acknowledged")
        time.sleep(seconds)
        os.kill(self._pid, signal.SIGKILL)
        assert self._spawner.stdout is not None
        assert self._spawner.stdout.readline() == b"ended\n"
        said += self._read_until(b"")
        os.close(self._reading)
        words = [line.split() for line in said.splitlines(keepends=True) if line.endswith(b"\n")]
        return Report(
            begun=frozenset(int(number) for word, number in words if word == b"begun"),
            acknowledged=frozenset(int(n) for word, n in words if word == b"acknowledged"),
        )

    def _read_until(self, word: bytes) -> bytes:
        """Reads until the word was said, or without one until nothing is left."""
        said = b""
        deadline = time.monotonic() + START_LIMIT_SECONDS
        while not word or word not in said:
            assert time.monotonic() < deadline, "the writer never acknowledged anything"
            try:
                chunk = os.read(self._reading, 65_536)
            except BlockingIOError:
                chunk = b""
            if not chunk and not word:
                break
            said += chunk
            time.sleep(0 if chunk else 0.001)
        return said


async def write_until_killed(folder: Path, generation: int, output: int) -> None:
    """Appends batches of a block and its slot; says what begins and what is acknowledged."""
    numbers = iter(range(1_000_000))

    async def produce() -> None:
        for number in numbers:
            os.write(output, f"begun {number}\n".encode())
            content = block(round_=number, variant=generation, size_bytes=1_000)
            content = replace(content, epoch=generation)
            await journal.append([content, slot(number, epoch=generation)])
            os.write(output, f"acknowledged {number}\n".encode())

    async with journal_in(folder) as journal, trio.open_nursery() as nursery:
        for _ in range(PRODUCERS):
            nursery.start_soon(produce)


def main() -> None:
    """Forks a writer for each line `generation folder output`, one after another."""
    for line in sys.stdin:
        generation, folder, output = line.split()
        pid = os.fork()
        if not pid:
            writing = os.open(output, os.O_WRONLY)
            trio.run(write_until_killed, Path(folder), int(generation), writing)
            os._exit(0)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
