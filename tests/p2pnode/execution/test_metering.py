"""What a run uses is measured from outside, and a GPU that fails leaves no result."""

from dataclasses import dataclass, replace

import pytest
import trio

from p2pnode.execution import metering
from p2pnode.execution.device_watch import GpuLimits
from p2pnode.execution.devices import Device
from p2pnode.execution.metering import Meter
from p2pnode.execution.nvml import GpuError, Reading
from p2pnode.interfaces import Metered
from tests.p2pnode.execution.builders import task, wait_until
from tests.support.nvml import MIB, gpu

PID = 77
IDLE = Reading(1_000, 75_000, 41, 0, 100 * MIB)


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads do not follow a clock that jumps."""
    monkeypatch.setattr(metering, "LOOK_SECONDS", 0.01)


@dataclass
class Worker:
    worker_pid: int = PID


class Gpu:
    """Meters that say one thing after another, and the last one from then on."""

    def __init__(self, *says: Reading | str) -> None:
        self.says = list(says)

    def read(self, device: Device) -> Reading:
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, str):
            raise GpuError(said)
        return said


def meter(board: Gpu, limits: GpuLimits | None = None) -> Meter:
    return Meter(gpu(0), limits or GpuLimits(), board.read)


async def measured(one: Meter) -> Metered:
    await one.begin(task())
    await one.end(Worker())
    return one.metered("job", 12)


async def test_the_energy_is_what_the_counter_grew_by() -> None:
    found = await measured(meter(Gpu(IDLE, replace(IDLE, energy_millijoules=4_500))))
    assert found == Metered("job", "cuda:0", 12, 0, 0, 3_500)


@pytest.mark.parametrize("after", [None, 999])
async def test_a_counter_that_is_missing_or_began_anew_says_nothing(after: int | None) -> None:
    found = await measured(meter(Gpu(IDLE, replace(IDLE, energy_millijoules=after))))
    assert found.energy_millijoules is None


async def test_the_memory_is_that_of_the_worker_where_the_driver_tells() -> None:
    busy = replace(IDLE, memory_used_bytes=900 * MIB, processes=((PID, 300 * MIB), (1, 500 * MIB)))
    assert (await measured(meter(Gpu(IDLE, busy)))).gpu_memory_bytes == 300 * MIB
    unknown = replace(busy, processes=((PID, None),))
    assert (await measured(meter(Gpu(IDLE, unknown)))).gpu_memory_bytes == 800 * MIB


async def test_the_highest_use_counts() -> None:
    uses = [replace(IDLE, memory_used_bytes=n * MIB) for n in (100, 400, 900, 300)]
    board = Gpu(*uses)
    one = meter(board)
    await one.begin(task())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.watch, Worker(), nursery.cancel_scope)
        await wait_until(lambda: len(board.says) == 1, seconds=10)
        nursery.cancel_scope.cancel()
    await one.end(Worker())
    for resident in (5, 9, 7):
        one.see_memory(resident)
    found = one.metered("job", 12)
    assert (found.gpu_memory_bytes, found.memory_bytes) == (800 * MIB, 9)
    assert not one.problem


async def test_a_job_that_takes_more_memory_than_is_lent_is_ended() -> None:
    greedy = replace(IDLE, processes=((PID, 513 * MIB),))
    one = meter(Gpu(IDLE, greedy), GpuLimits(memory_bytes=512 * MIB))
    await one.begin(task())
    with trio.CancelScope() as scope:
        await one.watch(Worker(), scope)
    assert scope.cancelled_caught
    assert one.problem == "the job took 513 MiB of cuda:0, of which 512 MiB are lent"


async def test_what_others_take_is_not_the_workers_where_the_driver_tells() -> None:
    listed = replace(IDLE, processes=((PID, 300 * MIB),))
    game = replace(IDLE, memory_used_bytes=9_000 * MIB, processes=((1, 9_000 * MIB),))
    one = meter(Gpu(IDLE, listed, game), GpuLimits(memory_bytes=512 * MIB))
    await one.begin(task())
    assert [await one.end(Worker()), await one.end(Worker())] == ["", ""]
    assert one.metered("job", 1).gpu_memory_bytes == 300 * MIB


async def test_a_gpu_lost_during_a_run_ends_it() -> None:
    one = meter(Gpu(IDLE, "The GPU is lost."))
    await one.begin(task())
    with trio.CancelScope() as scope:
        await one.watch(Worker(), scope)
    assert one.problem == "cuda:0: The GPU is lost."
    assert one.metered("job", 1).energy_millijoules is None


async def test_a_gpu_lost_at_the_end_of_a_run_is_noticed() -> None:
    one = meter(Gpu(IDLE, "The GPU is lost."))
    await measured(one)
    assert one.problem == "cuda:0: The GPU is lost."


async def test_a_gpu_that_others_fill_is_not_begun_on() -> None:
    full = replace(IDLE, memory_used_bytes=gpu(0).memory_bytes - 63 * MIB)
    one = meter(Gpu(full))
    await one.begin(task(memory_limit_bytes=64 * MIB))
    assert one.problem == "cuda:0 has 63 MiB of memory free, and the job may use 64 MiB"


async def test_on_the_processor_no_gpu_is_asked() -> None:
    board = Gpu("never asked")
    one = Meter(Device("cpu", "", "", 0), GpuLimits(), board.read)
    with trio.CancelScope() as scope:
        await one.watch(Worker(), scope)
    assert await measured(one) == Metered("job", "cpu", 12, 0, None, None)
    assert one.problem == ""
