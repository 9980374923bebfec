"""What this machine computes with: its processor, and NVIDIA GPUs through their driver's library.

Asks NVML (the `pynvml` module of nvidia-ml-py) in the node process; no GPU code is loaded here. A
machine without a usable GPU is normal, and the reason is kept in words an operator can act on.
"""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from p2pnode.execution.vulkan import software_driver

CPU = "cpu"
"""Identifier of the processor."""

GPU_RUNTIME = "onnxruntime-gpu"
"""The distribution of onnxruntime that can use CUDA; the plain one cannot."""

RUNTIMES = ("wasmtime", "onnxruntime", GPU_RUNTIME)
"""Distributions whose versions decide whether two nodes' results are of one class."""


FLOAT_KINDS = frozenset({"onnx", "builtin"})
"""Kinds whose float results follow the instruction set and the version of onnxruntime."""

BOARD_LENGTH = 37
RUNTIME_LENGTH = 16
"""Characters kept of either in a device class, which has 64 at most."""

VULKAN = "vulkan"
"""Stands among the runtimes with the software driver that runs shaders."""

DRIVER_LENGTH = 60
"""Characters kept of its name in a device class."""

VECTOR_FLAGS = ("amx_tile", "avx512_vnni", "avx512f", "avx_vnni", "avx2", "avx")
"""From the widest to the narrowest, as Linux names them."""


@dataclass(frozen=True, slots=True)
class Device:
    """Something tasks run on."""

    identifier: str
    """`cpu`, or `cuda:0` and so on in the driver's order."""
    name: str
    uuid: str
    """The driver's identifier of the board; empty for the processor."""
    memory_bytes: int
    cores: int = 0
    """Of the processor; 0 for a GPU."""
    compute_capability: tuple[int, int] = (0, 0)
    """Of a GPU, for instance (9, 0)."""
    driver: str = ""
    """The driver's version; empty for the processor."""
    mig: bool = False
    """Whether the GPU is split into instances, which are then not used."""


@dataclass(frozen=True, slots=True)
class Devices:
    """All devices of this machine, the processor first."""

    devices: tuple[Device, ...]
    why_no_gpu: str | None
    """What to do to have a GPU found; None if one was."""
    runtimes: tuple[tuple[str, str], ...] = ()
    """Installed runtimes and their versions."""

    def identifier_for(self, kind: str) -> str:
        """Say which device a kind runs on: a GPU only where kind and runtime can use it."""
        if kind == "onnx" and any(name == GPU_RUNTIME for name, _ in self.runtimes):
            for device in self.devices:
                if device.identifier != CPU and not device.mig:
                    return device.identifier
        return CPU

    def class_for(self, kind: str) -> str:
        """Names the class within which results of a kind are expected to be equal to the bit.

        Float results differ between instruction sets or boards, and between versions of the
        runtime, so both are part of the name; at most 64 characters.
        """
        identifier = self.identifier_for(kind)
        device_kind = identifier.partition(":")[0]
        versions = dict(self.runtimes)
        if kind == "wgsl":
            return f"{device_kind}/{versions.get(VULKAN, 'none')[:DRIVER_LENGTH]}"
        if kind not in FLOAT_KINDS:
            return device_kind
        runtime = versions.get(GPU_RUNTIME) or versions.get("onnxruntime", "none")
        boards = (one for one in self.devices if one.identifier == identifier != CPU)
        parts = [_board(board) for board in boards] or [_instruction_set()]
        return f"{device_kind}/{parts[0]}/ort-{runtime[:RUNTIME_LENGTH]}"

    def lends(self, kind: str) -> bool:
        """Say whether the device that a kind runs on is among these."""
        if kind == "wgsl" and VULKAN not in dict(self.runtimes):
            return False
        identifier = self.identifier_for(kind)
        return any(device.identifier == identifier for device in self.devices)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a GPU's meters say; None where the GPU or the driver has no such meter."""

    energy_millijoules: int | None
    """Since the driver was loaded; differences are what counts."""
    power_milliwatts: int | None
    temperature_celsius: int | None
    utilisation_percent: int | None


def discover() -> Devices:
    """Find the devices of this machine; never fails."""
    processor = _processor()
    driver = software_driver()
    runtimes = (*_installed(RUNTIMES), *([(VULKAN, driver)] if driver else []))
    try:
        with _driver_library() as library:
            gpus = tuple(_gpu(library, i) for i in range(library.nvmlDeviceGetCount()))
    except GpuError as absence:
        return Devices((processor,), str(absence), runtimes)
    if not gpus:
        return Devices((processor,), "The NVIDIA driver works and finds no GPU.", runtimes)
    return Devices((processor, *gpus), None, runtimes)


def read_meters(device: Device) -> Reading | None:
    """Read a GPU's meters; None for the processor or if the driver cannot be asked."""
    if device.identifier == CPU:
        return None
    try:
        with _driver_library() as library:
            handle = library.nvmlDeviceGetHandleByUUID(device.uuid.encode())
            return Reading(
                _meter(library, lambda: library.nvmlDeviceGetTotalEnergyConsumption(handle)),
                _meter(library, lambda: library.nvmlDeviceGetPowerUsage(handle)),
                _meter(
                    library,
                    lambda: library.nvmlDeviceGetTemperature(handle, library.NVML_TEMPERATURE_GPU),
                ),
                _meter(library, lambda: library.nvmlDeviceGetUtilizationRates(handle).gpu),
            )
    except GpuError:
        return None


def _board(gpu: Device) -> str:
    """Architecture and model of a GPU: the library's choice of kernels follows both."""
    major, minor = gpu.compute_capability
    model = "-".join(gpu.name.split())
    return f"sm{major}{minor}-{model}"[:BOARD_LENGTH]


def _instruction_set() -> str:
    """The widest vector instructions, by which the runtime chooses its kernels."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    line = next((one for one in text.splitlines() if one.startswith("flags")), "")
    flags = set(line.split())
    found = next((name for name in VECTOR_FLAGS if name in flags), "baseline")
    return f"{platform.machine()}-{found}"[:BOARD_LENGTH]


class GpuError(Exception):
    """The driver's library cannot be used; the text says why and what to do."""


@contextmanager
def _driver_library() -> Iterator[Any]:
    """Open NVML for the length of a block, translating all its errors.

    Raises:
        GpuError: if it cannot be opened or refuses a question.
    """
    try:
        import pynvml  # noqa: PLC0415 - only where a GPU is looked for
    except ImportError:
        raise GpuError("The Python package nvidia-ml-py is missing: install it.") from None
    try:
        pynvml.nvmlInit()
        try:
            yield pynvml
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        raise GpuError(_sentence(pynvml, error)) from error


def _sentence(library: Any, error: Exception) -> str:  # noqa: ANN401 - an untyped module
    """Say what an NVML error means for the operator."""
    sentences = {
        library.NVML_ERROR_LIBRARY_NOT_FOUND: (
            "The NVIDIA driver's library libnvidia-ml.so.1 was not found: "
            "install the driver, or give the container access to it."
        ),
        library.NVML_ERROR_DRIVER_NOT_LOADED: (
            "The NVIDIA driver is installed but not loaded: run `modprobe nvidia` or reboot."
        ),
        library.NVML_ERROR_LIB_RM_VERSION_MISMATCH: (
            "The NVIDIA driver was updated while its old kernel module is loaded: reboot."
        ),
        library.NVML_ERROR_FUNCTION_NOT_FOUND: (
            "The NVIDIA driver is too old for this node: update the driver."
        ),
        library.NVML_ERROR_NO_PERMISSION: (
            "This user may not use the GPU: give it access to the /dev/nvidia* files."
        ),
    }
    code = getattr(error, "value", None)
    return sentences.get(code, f"The NVIDIA driver answered: {error}.")


def _gpu(library: Any, index: int) -> Device:  # noqa: ANN401 - an untyped module
    handle = library.nvmlDeviceGetHandleByIndex(index)
    major, minor = library.nvmlDeviceGetCudaComputeCapability(handle)
    return Device(
        identifier=f"cuda:{index}",
        name=_text(library.nvmlDeviceGetName(handle)),
        uuid=_text(library.nvmlDeviceGetUUID(handle)),
        memory_bytes=int(library.nvmlDeviceGetMemoryInfo(handle).total),
        compute_capability=(int(major), int(minor)),
        driver=_text(library.nvmlSystemGetDriverVersion()),
        mig=_meter(library, lambda: library.nvmlDeviceGetMigMode(handle)[0]) == 1,
    )


def _meter(library: Any, read: Callable[[], Any]) -> int | None:  # noqa: ANN401
    """Read one value that not every GPU or driver has."""
    try:
        return int(read())
    except library.NVMLError:
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _processor() -> Device:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    return Device(CPU, _processor_name(), "", memory, cores=cores)


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _installed(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
