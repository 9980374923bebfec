import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from p2pnode.execution.devices import Device, Devices, Reading, discover, read_meters
from tests.p2pnode.execution.builders import ROOT

SCRIPT = """
import ctypes, sys
ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
from p2pnode.execution.devices import *
found = discover()
print(repr(found))
print(repr([read_meters(device) for device in found.devices]))
"""
"""The real binding finds the library that is already loaded under the driver's name."""

GPU = Device(
    identifier="cuda:0",
    name="NVIDIA Stub 9000",
    uuid="GPU-1234",
    memory_bytes=24 * 2**30,
    compute_capability=(8, 9),
    driver="560.35.03",
)
PROCESSOR = Device("cpu", "processor", "", 2**30, cores=2)
GPU_RUNTIME = (("onnxruntime-gpu", "1.32.0"),)


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is needed to build the driver's stand-in")
    library = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("nvml_stub.c")
    options = ["-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run([compiler, *options, "-o", library, source], check=True, timeout=30)
    return library


def discover_with(stub: Path, **variables: str) -> tuple[Devices, list[Reading | None]]:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(stub)],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    names = {"Devices": Devices, "Device": Device, "Reading": Reading}
    devices, readings = (
        eval(line, names)  # noqa: S307 - what our own script printed
        for line in result.stdout.splitlines()
    )
    return devices, readings


def test_a_gpu_is_found_with_all_the_driver_says(stub: Path) -> None:
    found, _ = discover_with(stub)
    assert found.why_no_gpu is None
    assert found.devices[0].identifier == "cpu"
    assert found.devices[1:] == (GPU,)


def test_the_gpus_meters_are_read_where_it_has_them(stub: Path) -> None:
    _, readings = discover_with(stub)
    assert readings == [
        None,
        Reading(
            energy_millijoules=123456789,
            power_milliwatts=None,
            temperature_celsius=41,
            utilisation_percent=17,
        ),
    ]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (4, "This user may not use the GPU: give it access to the /dev/nvidia* files."),
        (
            9,
            "The NVIDIA driver is installed but not loaded: run `modprobe nvidia` or reboot.",
        ),
        (13, "The NVIDIA driver is too old for this node: update the driver."),
        (
            18,
            "The NVIDIA driver was updated while its old kernel module is loaded: reboot.",
        ),
        (999, "The NVIDIA driver answered: Unknown Error."),
    ],
)
def test_each_refusal_of_the_driver_says_what_to_do(stub: Path, code: int, sentence: str) -> None:
    found, readings = discover_with(stub, NVML_STUB_INIT=str(code))
    assert found.why_no_gpu == sentence
    assert [device.identifier for device in found.devices] == ["cpu"]
    assert readings == [None]


def test_a_driver_without_a_gpu_is_said_to_be_one(stub: Path) -> None:
    found, _ = discover_with(stub, NVML_STUB_COUNT="0")
    assert found.why_no_gpu == "The NVIDIA driver works and finds no GPU."


def test_without_the_drivers_library_the_processor_is_found() -> None:
    found = discover()
    if found.why_no_gpu is None:
        pytest.skip("this machine has a GPU")
    assert found.why_no_gpu == (
        "The NVIDIA driver's library libnvidia-ml.so.1 was not found: "
        "install the driver, or give the container access to it."
    )
    (processor,) = found.devices
    assert processor.identifier == "cpu"
    assert processor.cores > 0
    assert processor.memory_bytes > 2**28
    assert processor.name
    assert read_meters(processor) is None
    assert {"wasmtime", "onnxruntime"} <= {name for name, _ in found.runtimes}


def test_models_run_on_a_gpu_that_the_runtime_can_use() -> None:
    assert Devices((PROCESSOR, GPU), None, GPU_RUNTIME).identifier_for("onnx") == "cuda:0"


@pytest.mark.parametrize(
    ("devices", "kind"),
    [
        (Devices((PROCESSOR, GPU), None, GPU_RUNTIME), "wasm"),
        (Devices((PROCESSOR, GPU), None, (("onnxruntime", "1.32.0"),)), "onnx"),
        (Devices((PROCESSOR,), "none", GPU_RUNTIME), "onnx"),
    ],
)
def test_everything_else_runs_on_the_processor(devices: Devices, kind: str) -> None:
    assert devices.identifier_for(kind) == "cpu"
