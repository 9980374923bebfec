"""What the driver's library says, through the real binding and a stand-in for the library."""

from pathlib import Path

import pytest

from p2pnode.execution import nvml
from p2pnode.execution.devices import Device
from p2pnode.execution.nvml import Reading
from tests.support.nvml import MIB, gpu, mig_slice, run_with_stub

FIND = """
from p2pnode.execution.nvml import *
from p2pnode.execution.devices import Device
try:
    found = find_gpus()
    print(repr(found))
    for device in found:
        print(repr(read_meters(device)) if device.is_gpu else "split")
except GpuError as error:
    print(error)
"""
"""Prints what is found, and a reading of each GPU that can be used."""

UNPLUG = """
import pathlib
from p2pnode.execution.nvml import *
(first, *others), state = find_gpus(), pathlib.Path(sys.argv[2])
read_meters(first)
state.write_text("gpus 2\\n0.lost 1\\n")
try:
    print(read_meters(first))
except GpuError as error:
    print(error)
print([one.identifier for one in find_gpus()])
state.write_text("gpus 0\\n")
try:
    print(read_meters(first))
except GpuError as error:
    print(error)
"""


def found_by(output: str) -> tuple[Device, ...]:
    line = output.splitlines()[0]
    found = eval(line, {"Device": Device})  # noqa: S307 - what our own script printed
    assert isinstance(found, tuple), line
    return found


def readings_in(output: str) -> list[Reading]:
    lines = [line for line in output.splitlines()[1:] if line != "split"]
    return [eval(line, {"Reading": Reading}) for line in lines]  # noqa: S307 - as above


def test_several_gpus_are_found_with_all_the_driver_says(tmp_path: Path) -> None:
    output = run_with_stub(FIND, tmp_path, "gpus 2\n1.hot 80\n1.used 100\n1.pid 77\n1.pidmib 60\n")
    assert found_by(output) == (gpu(0), gpu(1))
    assert readings_in(output) == [
        Reading(1000, 75_000, 41, 17, 0),
        Reading(1000, 75_000, 80, 17, 100 * MIB, ((77, 60 * MIB),)),
    ]


def test_meters_that_a_gpu_lacks_are_left_out(tmp_path: Path) -> None:
    output = run_with_stub(FIND, tmp_path, "0.nometers 1\n")
    assert readings_in(output) == [Reading(None, None, 41, None, 0)]


def test_the_slices_of_a_gpu_are_devices_with_memory_of_their_own(tmp_path: Path) -> None:
    output = run_with_stub(FIND, tmp_path, "gpus 2\n1.slices 2\n1.hot 66\n1.1.used 9\n")
    assert found_by(output) == (gpu(0), gpu(1, mig=True), mig_slice(1, 0), mig_slice(1, 1))
    assert readings_in(output)[1:] == [
        Reading(None, None, 66, None, 0),
        Reading(None, None, 66, None, 9 * MIB),
    ], "heat is that of the whole GPU, and a slice has no energy counter"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (4, "This user may not use the GPU: give it access to the /dev/nvidia* files."),
        (6, nvml.SENTENCES["NOT_FOUND"]),
        (8, "The GPU lacks power: attach its power cables, then reboot."),
        (9, "The NVIDIA driver is installed but not loaded: run `modprobe nvidia` or reboot."),
        (10, nvml.SENTENCES["TIMEOUT"]),
        (11, nvml.SENTENCES["IRQ_ISSUE"]),
        (12, nvml.SENTENCES["LIBRARY_NOT_FOUND"]),
        (13, "The NVIDIA driver is too old for this node: update the driver."),
        (15, nvml.SENTENCES["GPU_IS_LOST"]),
        (16, "The GPU has to be reset: run `nvidia-smi --gpu-reset`, or reboot."),
        (18, "The NVIDIA driver was updated while its old kernel module is loaded: reboot."),
        (999, "The NVIDIA driver failed for an unknown reason: see `dmesg`, then reboot."),
        (29, "The NVIDIA driver answered: stub error."),
    ],
)
def test_each_refusal_of_the_driver_says_what_to_do(
    code: int, sentence: str, tmp_path: Path
) -> None:
    assert run_with_stub(FIND, tmp_path, f"init {code}\n") == f"{sentence}\n"


def test_a_driver_without_a_gpu_finds_none(tmp_path: Path) -> None:
    assert run_with_stub(FIND, tmp_path, "gpus 0\n") == "()\n"


def test_a_lost_gpu_does_not_hide_the_others(tmp_path: Path) -> None:
    output = run_with_stub(FIND, tmp_path, "gpus 2\n0.lost 1\n")
    assert found_by(output) == (gpu(1),)
    assert run_with_stub(FIND, tmp_path, "0.lost 1\n") == f"{nvml.SENTENCES['GPU_IS_LOST']}\n"


def test_a_gpu_that_is_unplugged_between_two_calls_is_said_to_be_gone(tmp_path: Path) -> None:
    output = run_with_stub(UNPLUG, tmp_path, "gpus 2\n").splitlines()
    assert output == [
        nvml.SENTENCES["GPU_IS_LOST"],
        "['cuda:1']",
        nvml.SENTENCES["NOT_FOUND"],
    ]
