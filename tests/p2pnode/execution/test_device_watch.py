"""Which GPUs may be used now."""

import time
from dataclasses import replace

import pytest
import trio

from p2pnode.execution import device_watch
from p2pnode.execution.device_watch import DeviceWatch, GpuLimits, read_in_thread
from p2pnode.execution.devices import Device, Devices
from p2pnode.execution.nvml import GpuError, Reading
from tests.support.nvml import MIB, gpu

PROCESSOR = Device("cpu", "processor", "", 2**30)
GPUS = Devices((PROCESSOR, gpu(0), gpu(1)), None, (("onnxruntime-gpu", "1.32.0"),))
COOL = Reading(1_000, 75_000, 41, 17, 0)


class Meters:
    """GPUs whose meters a test sets; a sentence stands for one that is gone."""

    def __init__(self) -> None:
        self.says: dict[str, Reading | str] = {"GPU-0": COOL, "GPU-1": COOL}

    def read(self, device: Device) -> Reading:
        found = self.says[device.uuid]
        if isinstance(found, str):
            raise GpuError(found)
        return found

    def heat(self, uuid: str, celsius: int | None) -> None:
        self.says[uuid] = replace(COOL, temperature_celsius=celsius)


async def looked(meters: Meters, limits: GpuLimits | None = None) -> DeviceWatch:
    watch = DeviceWatch(GPUS, limits, meters.read)
    await watch.look()
    return watch


async def test_a_gpu_above_its_limit_takes_nothing_until_it_has_cooled() -> None:
    meters = Meters()
    watch = await looked(meters, GpuLimits(temperature_celsius=80))
    problems = []
    for celsius in (80, 81, 76, 75, 80):
        meters.heat("GPU-0", celsius)
        await watch.look()
        problems.append(bool(watch.problem(gpu(0))))
    assert problems == [False, True, True, False, False]
    meters.heat("GPU-0", 93)
    await watch.look()
    assert watch.problem(gpu(0)) == (
        "cuda:0 has 93 °C: it takes nothing above 80 °C, and then again from 75 °C down"
    )
    assert watch.problem(gpu(1)) == ""


async def test_a_kind_is_taken_while_one_gpu_takes_it() -> None:
    meters = Meters()
    watch = await looked(meters, GpuLimits(temperature_celsius=80))
    meters.heat("GPU-0", 93)
    await watch.look()
    assert watch.problem_for("onnx") == ""
    meters.says["GPU-1"] = "The GPU is lost."
    await watch.look()
    assert watch.problem_for("onnx").endswith("75 °C down; cuda:1: The GPU is lost.")
    assert watch.problem_for("wasm") == "", "it needs no GPU"


async def test_a_lost_gpu_is_used_again_when_it_is_back() -> None:
    meters = Meters()
    meters.says["GPU-0"] = "The GPU is lost."
    watch = await looked(meters)
    assert watch.problem(gpu(0)) == "cuda:0: The GPU is lost."
    assert watch.view(gpu(0)) == {"problem": "cuda:0: The GPU is lost.", "lent_bytes": 24 * 2**30}
    meters.says["GPU-0"] = COOL
    await watch.look()
    assert watch.problem(gpu(0)) == ""


async def test_a_limit_without_a_thermometer_cannot_be_kept() -> None:
    meters = Meters()
    meters.heat("GPU-0", None)
    watch = await looked(meters, GpuLimits(temperature_celsius=80))
    assert "has no thermometer" in watch.problem(gpu(0))
    assert (await looked(meters)).problem(gpu(0)) == ""


async def test_what_was_never_looked_at_is_not_used() -> None:
    watch = DeviceWatch(GPUS, None, Meters().read)
    assert watch.problem(gpu(0)) == "The GPU has not been asked yet."
    assert watch.view(PROCESSOR) == {}


async def test_people_see_what_the_meters_said_last() -> None:
    watch = await looked(Meters(), GpuLimits(memory_bytes=8 * MIB))
    view = watch.view(gpu(0))
    assert view["lent_bytes"] == 8 * MIB
    assert (view["temperature_celsius"], view["energy_millijoules"]) == (41, 1_000)


async def test_no_more_memory_is_lent_than_there_is() -> None:
    assert GpuLimits(memory_bytes=2**50).lent_bytes(gpu(0)) == 24 * 2**30


async def test_a_driver_that_does_not_answer_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device_watch, "ANSWER_SECONDS", 0.05)

    def read(device: Device) -> Reading:
        time.sleep(0.5)
        return COOL

    with pytest.raises(GpuError, match="has not answered"):
        await read_in_thread(read, gpu(0))
    assert device_watch.DRIVER_THREADS.borrowed_tokens == 1, "the thread is still there"
    assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
