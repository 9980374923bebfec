"""Which kinds run where, and in which class their results are compared."""

import platform
from dataclasses import replace
from pathlib import Path

import pytest

from p2pnode.execution.devices import Device, Devices
from tests.support.nvml import gpu, mig_slice

GPU = gpu()
PROCESSOR = Device("cpu", "processor", "", 2**30, cores=2)
GPU_RUNTIME = (("onnxruntime-gpu", "1.32.0"),)


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


def test_a_task_may_run_on_any_gpu_of_the_first_ones_class() -> None:
    odd = replace(gpu(1), name="NVIDIA Other")
    devices = Devices((PROCESSOR, gpu(0), odd, gpu(2)), None, GPU_RUNTIME)
    assert devices.gpus_for("onnx") == (gpu(0), gpu(2))
    assert devices.gpus_for("wasm") == ()


def test_the_slices_of_a_split_gpu_are_lent_in_its_place() -> None:
    split = (gpu(0, mig=True), mig_slice(0, 0), mig_slice(0, 1))
    devices = Devices((PROCESSOR, *split), None, GPU_RUNTIME)
    assert devices.gpus_for("onnx") == split[1:]
    assert devices.class_for("onnx") == "cuda/sm89-NVIDIA-Stub-9000-MIG-1g.3gb/ort-1.32.0"
    bare = Devices((PROCESSOR, gpu(0, mig=True)), None, GPU_RUNTIME)
    assert bare.identifier_for("onnx") == "cpu", "a split GPU without slices runs nothing"
