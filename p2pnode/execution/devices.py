"""What this machine computes with, which kinds of task run where, and how results compare.

A machine without a usable GPU is normal, and the reason is kept in words an operator can act on.
"""

import platform
from dataclasses import dataclass
from pathlib import Path

CPU = "cpu"
"""Identifier of the processor."""

GPU_RUNTIME = "onnxruntime-gpu"
"""The distribution of onnxruntime that can use CUDA; the plain one cannot."""

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
    """`cpu`, `cuda:0` and so on in the driver's order, or `cuda:0:1` for a MIG slice of it."""
    name: str
    uuid: str
    """The driver's identifier of the board or slice; empty for the processor."""
    memory_bytes: int
    cores: int = 0
    """Of the processor; 0 for a GPU."""
    compute_capability: tuple[int, int] = (0, 0)
    """Of a GPU, for instance (9, 0)."""
    driver: str = ""
    """The driver's version; empty for the processor."""
    mig: bool = False
    """Whether the GPU is split into MIG slices, which are then lent in its place."""
    slice_of: str = ""
    """The UUID of the GPU that a slice is a part of; empty for whole devices."""

    @property
    def is_gpu(self) -> bool:
        """Whether tasks can run on it through CUDA."""
        return self.identifier != CPU and not self.mig


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
        gpus = self.gpus_for(kind)
        return gpus[0].identifier if gpus else CPU

    def gpus_for(self, kind: str) -> tuple[Device, ...]:
        """List the GPUs that any task of a kind may run on: those of the first one's class.

        Boards of several classes would give results that differ under the name of one class.
        """
        if kind != "onnx" or all(name != GPU_RUNTIME for name, _ in self.runtimes):
            return ()
        usable = [device for device in self.devices if device.is_gpu]
        return tuple(device for device in usable if _board(device) == _board(usable[0]))

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
