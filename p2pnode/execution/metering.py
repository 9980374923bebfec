"""Measures what one run uses, from the node's process: a worker is not believed about itself."""

from typing import Final, Protocol

import trio

from p2pnode.execution.device_watch import GpuLimits, Read, read_in_thread
from p2pnode.execution.devices import Device
from p2pnode.execution.nvml import GpuError, Reading
from p2pnode.interfaces import Metered, Task

LOOK_SECONDS = 0.5
"""Between two looks at a GPU: its memory is allocated in large pieces and kept."""

MIB = 2**20


class Process(Protocol):
    """The worker, as far as it is measured."""

    @property
    def worker_pid(self) -> int:
        """The process that computes."""


class Meter:
    """What one run uses: time, memory, and on a GPU its memory and energy.

    The energy is the difference of the GPU's own counter, so it is that of everything on the GPU
    during the run, which the lease makes this job alone as far as nodes are concerned.
    """

    def __init__(self, device: Device, limits: GpuLimits, read: Read) -> None:
        """Take note of where the run is; nothing is read yet."""
        self._device: Final = device
        self._limits: Final = limits
        self._read: Final = read
        self._first: Reading | None = None
        self._last: Reading | None = None
        self._gpu_memory_bytes = 0
        self._is_listed = False
        self._memory_bytes = 0
        self.problem = ""
        """Why the run may not go on and what it says does not count; empty while all is well."""

    @property
    def is_gpu(self) -> bool:
        """Whether the run is on a GPU."""
        return self._device.is_gpu

    def see_memory(self, resident_bytes: int) -> None:
        """Take in how much memory of the machine the worker has now."""
        self._memory_bytes = max(self._memory_bytes, resident_bytes)

    async def begin(self, task: Task) -> str:
        """Read a GPU's counters before the task is sent; return why it must not be sent, if so."""
        if not self._device.is_gpu:
            return ""
        self._first = await self._look()
        if self._first is None:
            return self.problem
        free_bytes = self._device.memory_bytes - self._first.memory_used_bytes
        if free_bytes < task.memory_limit_bytes:
            self.problem = (
                f"{self._device.identifier} has {free_bytes // MIB} MiB of memory free, and the "
                f"job may use {task.memory_limit_bytes // MIB} MiB"
            )
        return self.problem

    async def watch(self, worker: Process, scope: trio.CancelScope) -> None:
        """Look at a GPU during the run, and end the run with its scope if it may not go on."""
        while self._device.is_gpu:
            await trio.sleep(LOOK_SECONDS)
            await self._see_gpu(worker)
            if self.problem:
                scope.cancel()

    async def end(self, worker: Process) -> str:
        """Read a GPU's counters before the worker is killed; return why its answer is none."""
        if self._device.is_gpu:
            await self._see_gpu(worker)
        return self.problem

    def metered(self, job: str, elapsed_ms: int) -> Metered:
        """Sum up."""
        is_gpu = self._first is not None
        return Metered(
            job=job,
            device=self._device.identifier,
            elapsed_ms=elapsed_ms,
            memory_bytes=self._memory_bytes,
            gpu_memory_bytes=self._gpu_memory_bytes if is_gpu else None,
            energy_millijoules=self._energy_millijoules(),
        )

    async def _look(self) -> Reading | None:
        try:
            self._last = await read_in_thread(self._read, self._device)
        except GpuError as error:
            self.problem = f"{self._device.identifier}: {error}"
            self._last = None
        return self._last

    async def _see_gpu(self, worker: Process) -> None:
        reading = await self._look()
        if reading is None or self._first is None:
            return
        used = dict(reading.processes).get(worker.worker_pid)
        self._is_listed = self._is_listed or used is not None
        if used is None and self._is_listed:
            used = 0  # it has given all back, and what grows is somebody else's
        elif used is None:  # the driver does not tell, or not by the numbers of this namespace
            used = max(0, reading.memory_used_bytes - self._first.memory_used_bytes)
        self._gpu_memory_bytes = max(self._gpu_memory_bytes, used)
        lent_bytes = self._limits.lent_bytes(self._device)
        if used > lent_bytes:
            # How much a model takes differs between boards, so this is no result of the job.
            self.problem = (
                f"the job took {used // MIB} MiB of {self._device.identifier}, of which "
                f"{lent_bytes // MIB} MiB are lent"
            )

    def _energy_millijoules(self) -> int | None:
        """The counter's growth; None without a counter, or if it began anew meanwhile."""
        first, last = self._first, self._last
        if first is None or last is None:
            return None
        before, after = first.energy_millijoules, last.energy_millijoules
        if before is None or after is None or after < before:
            return None
        return after - before
