"""NVIDIA GPUs through their driver's library (NVML, the `pynvml` module of nvidia-ml-py).

It is asked in the node process and loads no GPU code. Every call may meet a GPU that was removed or
a driver that was updated meanwhile, so the library is opened anew each time, and each of its errors
becomes a sentence that an operator can act on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from p2pnode.execution.devices import Device

MISSING = "The Python package nvidia-ml-py is missing: install it."

SENTENCES = {
    "NO_PERMISSION": ("This user may not use the GPU: give it access to the /dev/nvidia* files."),
    "INSUFFICIENT_POWER": "The GPU lacks power: attach its power cables, then reboot.",
    "DRIVER_NOT_LOADED": (
        "The NVIDIA driver is installed but not loaded: run `modprobe nvidia` or reboot."
    ),
    "TIMEOUT": "The NVIDIA driver did not answer in time: see `dmesg`, and reboot if it stays so.",
    "IRQ_ISSUE": "The GPU's interrupts do not arrive: check its slot and the machine's firmware.",
    "LIBRARY_NOT_FOUND": (
        "The NVIDIA driver's library libnvidia-ml.so.1 was not found: "
        "install the driver, or give the container access to it."
    ),
    "FUNCTION_NOT_FOUND": "The NVIDIA driver is too old for this node: update the driver.",
    "GPU_IS_LOST": (
        "The GPU is lost, it fell off the bus or was removed: see `dmesg`, check power and seat, "
        "then reboot."
    ),
    "RESET_REQUIRED": "The GPU has to be reset: run `nvidia-smi --gpu-reset`, or reboot.",
    "LIB_RM_VERSION_MISMATCH": (
        "The NVIDIA driver was updated while its old kernel module is loaded: reboot."
    ),
    "NOT_FOUND": (
        "The NVIDIA driver does not know this GPU any more, it was removed or its slices were made "
        "anew: restart the node."
    ),
    "UNKNOWN": "The NVIDIA driver failed for an unknown reason: see `dmesg`, then reboot.",
}
"""What an error of the library means for the operator, by the end of its name in `pynvml`."""

ABSENT_METERS = ("NOT_SUPPORTED", "FUNCTION_NOT_FOUND", "NO_PERMISSION", "NO_DATA", "NOT_FOUND")
"""Errors that only say that a GPU, a slice or a driver has no such meter, or not for this user."""


class GpuError(Exception):
    """The driver's library cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a GPU's meters say; None where the GPU or the driver has no such meter."""

    energy_millijoules: int | None
    """Since the driver was loaded; differences are what counts. A slice has no meter of its own."""
    power_milliwatts: int | None
    temperature_celsius: int | None
    """Of the whole GPU, also for a slice."""
    utilisation_percent: int | None
    memory_used_bytes: int
    processes: tuple[tuple[int, int | None], ...] = ()
    """Number and GPU memory in bytes of each process that computes there."""


def find_gpus() -> tuple[Device, ...]:
    """List the GPUs in the driver's order, each before its MIG slices.

    Raises:
        GpuError: if the driver cannot be asked. A single GPU that does not answer is left out as
            long as another one does.
    """
    found: list[Device] = []
    failures: list[Exception] = []
    with _library() as library:
        for index in range(library.nvmlDeviceGetCount()):
            try:
                found += _gpu_and_slices(library, index)
            except library.NVMLError as error:
                failures.append(error)
        if failures and not found:
            raise failures[0]
    return tuple(found)


def read_meters(device: Device) -> Reading:
    """Read the meters of a GPU or a slice.

    Raises:
        GpuError: if the driver cannot be asked, or the GPU is gone.
    """
    with _library() as library:
        handle = library.nvmlDeviceGetHandleByUUID(device.uuid.encode())
        board = handle
        if device.slice_of:
            board = library.nvmlDeviceGetHandleByUUID(device.slice_of.encode())
        sensor = library.NVML_TEMPERATURE_GPU
        temperature = _meter(library, lambda: library.nvmlDeviceGetTemperature(board, sensor))
        used = int(library.nvmlDeviceGetMemoryInfo(handle).used)
        processes = _processes(library, handle)
        if device.slice_of:
            return Reading(None, None, temperature, None, used, processes)
        return Reading(
            _meter(library, lambda: library.nvmlDeviceGetTotalEnergyConsumption(handle)),
            _meter(library, lambda: library.nvmlDeviceGetPowerUsage(handle)),
            temperature,
            _meter(library, lambda: library.nvmlDeviceGetUtilizationRates(handle).gpu),
            used,
            processes,
        )


@contextmanager
def _library() -> Iterator[Any]:
    """Open NVML for the length of a block, translating all its errors.

    Raises:
        GpuError: if it cannot be opened or refuses a question.
    """
    try:
        import pynvml  # noqa: PLC0415 - only where a GPU is looked for
    except ImportError:
        raise GpuError(MISSING) from None
    try:
        pynvml.nvmlInit()
        try:
            yield pynvml
        finally:
            with suppress(pynvml.NVMLError):  # what went wrong before it says more
                pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        raise GpuError(_sentence(pynvml, error)) from error


def _sentence(library: Any, error: Exception) -> str:  # noqa: ANN401 - an untyped module
    """Say what an NVML error means for the operator."""
    code = getattr(error, "value", None)
    for name, sentence in SENTENCES.items():
        if code == getattr(library, f"NVML_ERROR_{name}"):
            return sentence
    return f"The NVIDIA driver answered: {error}."


def _gpu_and_slices(library: Any, index: int) -> list[Device]:  # noqa: ANN401 - an untyped module
    handle = library.nvmlDeviceGetHandleByIndex(index)
    major, minor = library.nvmlDeviceGetCudaComputeCapability(handle)
    is_split = _meter(library, lambda: library.nvmlDeviceGetMigMode(handle)[0]) == 1
    gpu = Device(
        identifier=f"cuda:{index}",
        name=_text(library.nvmlDeviceGetName(handle)),
        uuid=_text(library.nvmlDeviceGetUUID(handle)),
        memory_bytes=int(library.nvmlDeviceGetMemoryInfo(handle).total),
        compute_capability=(int(major), int(minor)),
        driver=_text(library.nvmlSystemGetDriverVersion()),
        mig=is_split,
    )
    return [gpu, *_slices(library, handle, gpu)] if is_split else [gpu]


def _slices(library: Any, handle: Any, gpu: Device) -> Iterator[Device]:  # noqa: ANN401
    """Each slice as a device of its own; places for slices may be empty."""
    for number in range(library.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            slice_handle = library.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except library.NVMLError_NotFound:
            continue
        yield Device(
            identifier=f"{gpu.identifier}:{number}",
            name=_text(library.nvmlDeviceGetName(slice_handle)),
            uuid=_text(library.nvmlDeviceGetUUID(slice_handle)),
            memory_bytes=int(library.nvmlDeviceGetMemoryInfo(slice_handle).total),
            compute_capability=gpu.compute_capability,
            driver=gpu.driver,
            slice_of=gpu.uuid,
        )


def _processes(library: Any, handle: Any) -> tuple[tuple[int, int | None], ...]:  # noqa: ANN401
    found: list[Any] = []

    def read() -> int:
        found.extend(library.nvmlDeviceGetComputeRunningProcesses(handle))
        return len(found)

    _meter(library, read)
    return tuple((int(one.pid), one.usedGpuMemory) for one in found)


def _meter(library: Any, read: Callable[[], Any]) -> int | None:  # noqa: ANN401
    """Read one value that not every GPU or driver has; a GPU that is gone is no such case."""
    absent = [getattr(library, f"NVML_ERROR_{name}") for name in ABSENT_METERS]
    try:
        return int(read())
    except library.NVMLError as error:
        if error.value in absent:
            return None
        raise


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
