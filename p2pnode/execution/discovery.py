"""Looks for the devices of this machine and the runtimes that are installed."""

import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from p2pnode.execution.devices import CPU, GPU_RUNTIME, VULKAN, Device, Devices
from p2pnode.execution.nvml import GpuError, find_gpus
from p2pnode.execution.vulkan import software_driver

RUNTIMES = ("wasmtime", "onnxruntime", GPU_RUNTIME)
"""Distributions whose versions decide whether two nodes' results are of one class."""


def discover() -> Devices:
    """Find the devices of this machine; never fails."""
    processor = _processor()
    driver = software_driver()
    runtimes = (*_installed(RUNTIMES), *([(VULKAN, driver)] if driver else []))
    try:
        gpus = find_gpus()
    except GpuError as absence:
        return Devices((processor,), str(absence), runtimes)
    if not gpus:
        return Devices((processor,), "The NVIDIA driver works and finds no GPU.", runtimes)
    return Devices((processor, *gpus), None, runtimes)


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
