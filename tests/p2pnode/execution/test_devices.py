import os
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
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


def flags_of(monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    """What the kernel says of the processor; None where it cannot be read."""

    def read(path: Path) -> str:
        assert str(path) == "/proc/cpuinfo"
        if text is None:
            raise PermissionError
        return text

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.mark.parametrize(
    ("flags", "widest"),
    [
        ("flags\t\t: fpu sse2 avx avx2 avx_vnni\nflags\t\t: fpu", "avx_vnni"),
        ("flags\t\t: avx avx2 fma", "avx2"),
        ("flags\t\t: avx2 avx512f avx512_vnni amx_tile", "amx_tile"),
        ("flags\t\t: fpu sse2", "baseline"),
        ("Features\t: fp asimd", "baseline"),
        (None, "baseline"),
    ],
)
def test_a_models_class_on_the_processor_names_instructions_and_runtime(
    flags: str | None, widest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags_of(monkeypatch, flags)
    devices = Devices((PROCESSOR, GPU), None, (("onnxruntime", "1.32.0"),))
    assert devices.class_for("onnx") == f"cpu/x86_64-{widest}/ort-1.32.0"


def test_a_models_class_on_a_gpu_names_board_and_runtime() -> None:
    devices = Devices((PROCESSOR, GPU), None, GPU_RUNTIME)
    assert devices.class_for("onnx") == "cuda/sm89-NVIDIA-Stub-9000/ort-1.32.0"


def test_modules_are_of_one_class_on_every_processor() -> None:
    assert Devices((PROCESSOR, GPU), None, GPU_RUNTIME).class_for("wasm") == "cpu"


def test_another_version_of_the_runtime_is_another_class(monkeypatch: pytest.MonkeyPatch) -> None:
    flags_of(monkeypatch, "flags: avx2")
    runtimes = ((("onnxruntime", "1.31.0"),), (("onnxruntime", "1.32.0"),), ())
    found = [Devices((PROCESSOR,), None, one).class_for("onnx") for one in runtimes]
    assert found == [f"cpu/x86_64-avx2/ort-{which}" for which in ("1.31.0", "1.32.0", "none")]


def test_a_class_fits_into_a_bid_however_long_its_parts_are() -> None:
    gpu = replace(GPU, name="NVIDIA GeForce " + "X" * 90, compute_capability=(12, 0))
    devices = Devices((gpu,), None, (("onnxruntime-gpu", "1.32.0.dev20261123001+cuda"),))
    found = devices.class_for("onnx")
    assert len(found) <= 64
    assert found.startswith("cuda/sm120-NVIDIA-GeForce-X")
    assert found.endswith("/ort-1.32.0.dev202611"), "the runtime is not what is cut off"


def test_a_gpu_alone_without_its_runtime_still_names_the_processors_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags_of(monkeypatch, "flags: avx2")
    devices = Devices((GPU,), None, (("onnxruntime", "1.32.0"),))
    assert devices.class_for("onnx") == "cpu/x86_64-avx2/ort-1.32.0"
    assert not devices.lends("onnx")


def test_a_kind_is_lent_with_the_device_that_it_runs_on() -> None:
    gpu_alone = Devices((GPU,), None, GPU_RUNTIME)
    assert gpu_alone.lends("onnx")
    assert not gpu_alone.lends("wasm")
    assert Devices((PROCESSOR,), None, GPU_RUNTIME).lends("wasm")
