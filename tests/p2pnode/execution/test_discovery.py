"""What a node finds at its start."""

from pathlib import Path

import pytest

from p2pnode.execution.discovery import discover
from p2pnode.execution.nvml import SENTENCES
from tests.support.nvml import run_with_stub

SCRIPT = """
from p2pnode.execution.discovery import discover
found = discover()
print([one.identifier for one in found.devices], found.why_no_gpu)
"""


def test_the_processor_comes_before_the_gpus(tmp_path: Path) -> None:
    assert run_with_stub(SCRIPT, tmp_path, "gpus 2\n") == "['cpu', 'cuda:0', 'cuda:1'] None\n"


def test_why_no_gpu_was_found_is_kept(tmp_path: Path) -> None:
    idle = "The NVIDIA driver works and finds no GPU."
    assert run_with_stub(SCRIPT, tmp_path, "gpus 0\n") == f"['cpu'] {idle}\n"
    missing = SENTENCES["DRIVER_NOT_LOADED"]
    assert run_with_stub(SCRIPT, tmp_path, "init 9\n") == f"['cpu'] {missing}\n"


def test_without_the_drivers_library_the_processor_is_found() -> None:
    found = discover()
    if found.why_no_gpu is None:
        pytest.skip("this machine has a GPU")
    assert found.why_no_gpu == SENTENCES["LIBRARY_NOT_FOUND"]
    (processor,) = found.devices
    assert processor.identifier == "cpu"
    assert processor.cores > 0
    assert processor.memory_bytes > 2**28
    assert processor.name
    assert {"wasmtime", "onnxruntime"} <= {name for name, _ in found.runtimes}
