"""Which GPUs may be used at this moment: those that answer, are cool and have not been lost.

The meters are read every few seconds in a thread of their own, since a driver in trouble may not
answer for a long time.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

import trio

from p2pnode.execution.devices import Device, Devices
from p2pnode.execution.nvml import GpuError, Reading, read_meters

ANSWER_SECONDS = 10
"""For the driver to answer all questions about one GPU: it takes milliseconds when it is well."""

COOLING_CELSIUS = 5
"""A GPU that was too hot is used again this far below the limit, so that it does not flap."""

DRIVER_THREADS = trio.CapacityLimiter(8)
"""Questions that a driver has not answered keep their threads, which must not be the store's."""

SILENT = f"The NVIDIA driver has not answered for {ANSWER_SECONDS} s: see `dmesg`."

Read = Callable[[Device], Reading]
"""Reads the meters of a GPU; raises GpuError."""


@dataclass(frozen=True, slots=True)
class GpuLimits:
    """What the operator allows on each GPU."""

    temperature_celsius: int | None = None
    """Above it nothing is begun; None leaves this to the GPU's own protection."""
    memory_bytes: int | None = None
    """The most that a job may use of a GPU; None for all of it."""

    def lent_bytes(self, device: Device) -> int:
        """Say how much of a GPU's memory a job may use."""
        return min(device.memory_bytes, self.memory_bytes or device.memory_bytes)


async def read_in_thread(read: Read, device: Device) -> Reading:
    """Read the meters of a GPU without holding anything else up.

    Raises:
        GpuError: as `read` does, or if it takes too long.
    """
    with trio.move_on_after(ANSWER_SECONDS):
        return await trio.to_thread.run_sync(
            partial(read, device),
            abandon_on_cancel=True,  # type: ignore[call-arg]  # old stubs
            limiter=DRIVER_THREADS,
        )
    raise GpuError(SILENT)


@dataclass(slots=True)
class _State:
    """What was last seen of a GPU."""

    reading: Reading | None = None
    problem: str = "The GPU has not been asked yet."
    is_hot: bool = False


class DeviceWatch:
    """Keeps what was last seen of each GPU.

    Attributes:
        devices: What this node lends.
        limits: What the operator allows on each GPU.
        read: Reads the meters of one.
    """

    def __init__(
        self, devices: Devices, limits: GpuLimits | None = None, read: Read = read_meters
    ) -> None:
        self.devices: Final = devices
        self.limits: Final = limits or GpuLimits()
        self.read: Final = read
        self._states: dict[str, _State] = {}

    async def look(self) -> None:
        """Read the meters of all GPUs."""
        for device in self.devices.devices:
            if device.is_gpu:
                state = self._states.setdefault(device.uuid, _State())
                try:
                    state.reading = await read_in_thread(self.read, device)
                except GpuError as error:
                    state.reading, state.problem = None, f"{device.identifier}: {error}"
                else:
                    state.problem = self._heat_problem(device, state, state.reading)

    def problem(self, device: Device) -> str:
        """Say why nothing may begin on a GPU now; empty if something may."""
        return self._states.get(device.uuid, _State()).problem

    def problem_for(self, kind: str) -> str:
        """Say why no task of a kind may begin now; empty if one device takes it."""
        problems = [self.problem(device) for device in self.devices.gpus_for(kind)]
        return "" if "" in problems else "; ".join(problems)

    def view(self, device: Device) -> Mapping[str, object]:
        """What people are shown of a device's state, ready for JSON."""
        state = self._states.get(device.uuid)
        if not device.is_gpu or state is None:
            return {}
        meters = asdict(state.reading) if state.reading is not None else {}
        lent = self.limits.lent_bytes(device)
        return {"problem": state.problem, "lent_bytes": lent, **meters}

    def _heat_problem(self, device: Device, state: _State, reading: Reading) -> str:
        limit, now = self.limits.temperature_celsius, reading.temperature_celsius
        if limit is None:
            return ""
        if now is None:
            return f"{device.identifier} has no thermometer, and the operator set a limit"
        state.is_hot = now > (limit - COOLING_CELSIUS if state.is_hot else limit)
        if not state.is_hot:
            return ""
        return (
            f"{device.identifier} has {now} °C: it takes nothing above {limit} °C, and then again "
            f"from {limit - COOLING_CELSIUS} °C down"
        )
