"""Runs on GPUs: leased, metered, and without a result where the GPU failed.

The program of the worker is replaced, as no GPU is here; what surrounds it is the real runner.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest
import trio

from p2pnode.execution import frames, metering
from p2pnode.execution import runner as runner_module
from p2pnode.execution.device_watch import DeviceWatch, GpuLimits
from p2pnode.execution.devices import Device, Devices
from p2pnode.execution.leases import Leases, LeaseTaken
from p2pnode.execution.nvml import GpuError, Reading
from p2pnode.execution.runner import Runner
from p2pnode.interfaces import Finished, Metered, NoResult, RunOutcome
from tests.p2pnode.execution import builders
from tests.support.nvml import MIB, gpu, mig_slice, run_with_stub

CPU = Device("cpu", "processor", "", 2**30)
GPU_RUNTIME = (("onnxruntime-gpu", "1.32.0"),)
IDLE = Reading(1_000, 75_000, 41, 0, 100 * MIB)
JOB = builders.task(kind="onnx", time_limit_ms=60_000)
DONE = frames.encode_outcome(Finished(b"", 0, 0, 0))
SECONDS = 0.2
PROGRAM = f"""#!{sys.executable} -S
import os, sys, time
sys.argv = sys.argv[-6:]
"""
ANSWER = f"""
os.write(int(sys.argv[3]), b"R\\x00")
os.read(0, 100000)
time.sleep({SECONDS})
os.write(int(sys.argv[3]), {DONE!r})
"""

STUBBED = """
import pathlib, trio
from p2pnode.execution.device_watch import DeviceWatch
from p2pnode.execution.devices import Devices
from p2pnode.execution.leases import Leases
from p2pnode.execution.nvml import find_gpus
from p2pnode.execution.runner import Runner
from p2pnode.interfaces import Task
noted = []
async def main():
    watch = DeviceWatch(Devices(find_gpus(), None, (("onnxruntime-gpu", "1.32.0"),)))
    await watch.look()
    leases = Leases(pathlib.Path(sys.argv[2]).parent / "leases")
    task = Task("job", "onnx", bytes.fromhex(MODEL), (), 20_000, 2**20, 2**10, 0)
    print((await Runner(watch, 1, None, leases, noted.append).run(task)).detail)
trio.run(main)
print(noted[0].device, noted[0].energy_millijoules, noted[0].gpu_memory_bytes)
"""


class Gpus:
    """GPUs whose counters grow by one joule at each reading, until one is lost."""

    def __init__(self) -> None:
        self.readings = 0
        self.lost_from = 1_000_000

    def read(self, device: Device) -> Reading:
        self.readings += 1
        if self.readings >= self.lost_from:
            raise GpuError("The GPU is lost.")
        return replace(IDLE, energy_millijoules=1_000 * self.readings)


class Bench:
    """A runner over GPUs, and what it notes."""

    def __init__(self, folder: Path, *gpus: Device, limits: GpuLimits | None = None) -> None:
        self.gpus = Gpus()
        self.noted: list[Metered] = []
        self.leases = Leases(folder / "leases")
        devices = Devices((CPU, *gpus), None, GPU_RUNTIME)
        self.watch = DeviceWatch(devices, limits, self.gpus.read)
        self.runner = Runner(self.watch, 2, None, self.leases, self.noted.append)

    async def run(self) -> RunOutcome:
        await self.watch.look()
        self.gpus.readings = 0
        return await self.runner.run(JOB)


Pretend = Callable[[str], None]


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Lets a script of ours stand where the worker stands."""
    monkeypatch.setattr(metering, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(runner_module, "LEASE_POLL_SECONDS", 0.01)

    def stand_in(script: str) -> None:
        program = tmp_path / "program"
        program.write_text(PROGRAM + script)
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return stand_in


async def test_a_run_is_metered_from_outside(pretend: Pretend, tmp_path: Path) -> None:
    pretend(ANSWER)
    bench = Bench(tmp_path, gpu(0))
    outcome = await bench.run()
    assert isinstance(outcome, Finished)
    (found,) = bench.noted
    assert (found.job, found.device) == ("job", "cuda:0")
    assert found.elapsed_ms == outcome.elapsed_ms >= 1_000 * SECONDS
    assert found.memory_bytes > MIB
    assert found.energy_millijoules == 1_000 * (bench.gpus.readings - 1)
    with bench.leases.hold(gpu(0)):
        pass


async def test_the_time_that_is_claimed_stays_within_the_limit(
    pretend: Pretend, tmp_path: Path
) -> None:
    pretend('os.write(int(sys.argv[3]), b"R\\0"); time.sleep(60)')
    bench = Bench(tmp_path, gpu(0))
    await bench.watch.look()
    outcome = await bench.runner.run(builders.task(kind="onnx", time_limit_ms=100))
    assert (outcome.elapsed_ms, bench.noted[0].elapsed_ms) == (100, 100)


async def test_a_worker_sees_only_the_gpu_that_was_leased(pretend: Pretend, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    note = f"open({str(seen)!r}, 'w').write(os.environ['CUDA_VISIBLE_DEVICES'])"
    pretend(note + ANSWER)
    bench = Bench(tmp_path, gpu(0, mig=True), mig_slice(0, 1))
    assert isinstance(await bench.run(), Finished)
    assert seen.read_text() == "MIG-0-1"
    await bench.runner.run(builders.task(kind="wasm"))
    assert seen.read_text() == "", "a worker on the processor sees none"


async def test_a_gpu_that_another_job_has_is_waited_for_and_then_declined(
    pretend: Pretend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(ANSWER)
    monkeypatch.setattr(runner_module, "LEASE_SECONDS", 0.3)
    bench = Bench(tmp_path, gpu(0))
    with bench.leases.hold(gpu(0)):
        outcome = await bench.run()
    assert isinstance(outcome, NoResult)
    assert outcome.detail.startswith("cuda:0 is leased to process ")
    assert bench.noted == []


async def test_a_free_gpu_is_taken_where_one_is_leased(pretend: Pretend, tmp_path: Path) -> None:
    pretend(ANSWER)
    bench = Bench(tmp_path, gpu(0), gpu(1))
    with bench.leases.hold(gpu(0)):
        await bench.run()
    assert [one.device for one in bench.noted] == ["cuda:1"]


async def test_two_jobs_share_one_gpu_one_after_the_other(pretend: Pretend, tmp_path: Path) -> None:
    pretend(ANSWER)
    bench = Bench(tmp_path, gpu(0))
    await bench.watch.look()
    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(bench.runner.run, JOB)
    assert len(bench.noted) == 2
    assert trio.current_time() - begun >= 2 * SECONDS


async def test_a_run_that_is_stopped_gives_its_gpu_back_when_the_worker_is_gone(
    pretend: Pretend, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    pretend(f"open({str(begun)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    bench = Bench(tmp_path, gpu(0))
    await bench.watch.look()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.runner.run, builders.task(kind="onnx"))
        await builders.wait_until(lambda: begun.exists() and begun.read_text() != "", seconds=10)
        with pytest.raises(LeaseTaken), bench.leases.hold(gpu(0)):
            pass
        nursery.cancel_scope.cancel()
    assert builders.is_dead(int(begun.read_text()))
    with bench.leases.hold(gpu(0)):
        pass


async def test_nothing_begins_on_a_hot_gpu(
    pretend: Pretend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(ANSWER)
    monkeypatch.setattr(runner_module, "LEASE_SECONDS", 0.3)
    bench = Bench(tmp_path, gpu(0), limits=GpuLimits(temperature_celsius=40))
    outcome = await bench.run()
    assert isinstance(outcome, NoResult)
    assert outcome.detail.startswith("cuda:0 has 41 °C")
    assert bench.noted == []


async def test_what_a_worker_says_of_a_gpu_that_was_lost_meanwhile_does_not_count(
    pretend: Pretend, tmp_path: Path
) -> None:
    pretend(ANSWER)
    bench = Bench(tmp_path, gpu(0))
    bench.gpus.lost_from = 3
    outcome = await bench.run()
    assert isinstance(outcome, NoResult)
    assert outcome.detail == "cuda:0: The GPU is lost."


async def test_a_worker_that_a_gpus_driver_may_have_ended_says_nothing_of_the_job(
    pretend: Pretend, tmp_path: Path
) -> None:
    pretend('os.write(int(sys.argv[3]), b"R\\0"); sys.exit("segmentation fault in libcuda")')
    outcome = await Bench(tmp_path, gpu(0)).run()
    assert outcome == NoResult(
        "the worker on the GPU ended without an answer: segmentation fault in libcuda",
        outcome.elapsed_ms,
    )


async def test_the_drivers_libraries_do_not_count_against_a_jobs_memory(
    pretend: Pretend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = f"ballast = b'x' * {200 * MIB}\ntime.sleep"
    pretend(ANSWER.replace("time.sleep", loads))
    assert isinstance(await Bench(tmp_path, gpu(0)).run(), Finished)
    monkeypatch.setattr(frames, "GPU_SLACK_BYTES", 0)
    outcome = await Bench(tmp_path, gpu(0)).run()
    assert isinstance(outcome, NoResult), "and what is too much all the same is no result"
    assert outcome.detail == "the worker and its GPU's driver took too much of the memory"


async def test_a_lease_that_cannot_be_had_is_no_result(pretend: Pretend, tmp_path: Path) -> None:
    (tmp_path / "leases").write_text("")
    outcome = await Bench(tmp_path, gpu(0)).run()
    assert isinstance(outcome, NoResult)
    assert outcome.detail.startswith("no GPU can be leased")


def test_a_gpu_that_is_full_by_its_driver_is_not_begun_on(tmp_path: Path) -> None:
    script = f"MODEL = ''\n{STUBBED}"
    detail, metered = run_with_stub(script, tmp_path, "0.used 24576\n").splitlines()
    assert detail == "cuda:0 has 0 MiB of memory free, and the job may use 1 MiB"
    assert metered == "cuda:0 0 0"


def test_a_real_worker_without_cuda_has_no_result_and_the_drivers_counter_is_read(
    tmp_path: Path,
) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime can use CUDA")
    script = f"MODEL = {builders.model().hex()!r}\n{STUBBED}"
    output = run_with_stub(script, tmp_path, "0.energy 5000\n0.step 250\n0.pid 1\n")
    detail, metered = output.splitlines()
    assert detail == "onnxruntime cannot use CUDAExecutionProvider on this machine"
    device, energy, memory = metered.split()
    assert (device, memory) == ("cuda:0", "0")
    assert int(energy) > 0
    assert int(energy) % 250 == 0
