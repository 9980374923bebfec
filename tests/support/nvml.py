"""The driver's stand-in, built once in a test session, and children that have it in memory.

A child loads it under the driver's own name before anything asks for that, so that the real binding
is what a test exercises.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from p2pnode.execution.devices import Device

ROOT = Path(__file__).parents[2]
PRELOAD = "import ctypes, sys; ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)\n"
MIB = 2**20


@cache
def stub() -> Path:
    """Build the library; skips the test where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no compiler: `cc` is needed to build the driver's stand-in")
    library = Path(tempfile.mkdtemp(prefix="p2pnode-nvml-")) / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("nvml_stub.c")
    options = ["-shared", "-fPIC", "-Wall", "-Werror", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run([compiler, *options, "-o", library, source], check=True, timeout=30)
    return library


def run_with_stub(script: str, folder: Path, says: str = "", seconds: float = 30) -> str:
    """Run Python text in a child that has the stand-in, and return what it prints.

    Args:
        script: `sys.argv[2]` is the file that the stand-in reads.
        folder: Where that file is made.
        says: Its content.
        seconds: For the child.
    """
    state = folder / "nvml-says"
    state.write_text(says)
    done = subprocess.run(
        [sys.executable, "-c", PRELOAD + script, str(stub()), str(state)],
        cwd=ROOT,
        env=os.environ | {"NVML_STUB": str(state)},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def gpu(index: int = 0, *, memory_bytes: int = 24 * 2**30, mig: bool = False) -> Device:
    """The GPU of that number, as the stand-in describes it."""
    return Device(
        identifier=f"cuda:{index}",
        name="NVIDIA Stub 9000",
        uuid=f"GPU-{index}",
        memory_bytes=memory_bytes,
        compute_capability=(8, 9),
        driver="560.35.03",
        mig=mig,
    )


def mig_slice(index: int, number: int) -> Device:
    """A slice of a GPU, as the stand-in describes it."""
    return Device(
        identifier=f"cuda:{index}:{number}",
        name="NVIDIA Stub 9000 MIG 1g.3gb",
        uuid=f"MIG-{index}-{number}",
        memory_bytes=3 * 2**30,
        compute_capability=(8, 9),
        driver="560.35.03",
        slice_of=f"GPU-{index}",
    )
