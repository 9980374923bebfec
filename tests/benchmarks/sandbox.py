"""What locking up costs, and how fast a node runs tiny tasks in workers that wait."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version

import trio

from p2pnode.execution.device_watch import DeviceWatch
from p2pnode.execution.devices import Device, Devices
from p2pnode.execution.probe import SandboxReport, probe
from p2pnode.execution.runner import Runner
from p2pnode.interfaces import Finished, Task
from p2pnode.lab.founding import EXAMPLES, magika_models
from tests.benchmarks.figures import Effort, Figure, Floor, at_least, at_most
from tests.p2pnode.execution import builders

LOCKDOWN = """
import os, time
from p2pnode.execution import sandbox
namespace = sandbox.process_namespace()
begun, spent = time.perf_counter(), time.process_time()
walls = sandbox.detach(os.getppid(), namespace)
walls = sandbox.lock(walls, threads=False)
elapsed, spent = time.perf_counter() - begun, time.process_time() - spent
os.write(1, f"{walls.level} {spent} {elapsed}".encode())
os._exit(0)
"""
WARM_SECONDS = 2.0
"""For a worker to load its libraries on a busy machine, before it is asked."""
MODEL_FILES_BYTES = 2048


def measure(effort: Effort) -> Iterator[Figure]:
    """Lock processes up, then ask waiting workers, then run tiny tasks one after the other."""
    level, spent, elapsed = _lockdowns(effort.of(30, 5))
    stated = f"namespaces, Landlock, limits and filter together, level {level}"
    yield Figure("lockdown: processor time", "ms", spent, stated, None, at_most(3))
    yield Figure("lockdown: elapsed", "ms", elapsed, "the same; other work on the machine shows")
    yield from trio.run(_figures, effort)


def _lockdowns(runs: int) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    level, spent, elapsed = 0, [], []
    for _ in range(runs):
        command = [sys.executable, "-c", LOCKDOWN]
        done = subprocess.run(command, cwd=builders.ROOT, capture_output=True, check=True)
        parts = done.stdout.split()
        level = int(parts[0])
        spent.append(1_000 * float(parts[1]))
        elapsed.append(1_000 * float(parts[2]))
    return level, tuple(spent), tuple(elapsed)


async def _figures(effort: Effort) -> list[Figure]:
    report = await probe()
    model, inputs = _model_task()
    warm = await _requests(report, model, effort.of(15, 3), warm=True)
    cold = await _requests(report, model, effort.of(10, 2), warm=False)
    size = len(model.artefact) / 1e6
    stated = (
        f"model of {size:.1f} MB, {inputs} bytes of input, onnxruntime {version('onnxruntime')}, "
        f"level {report.level}; from the task to its outcome, worker ended and folder removed"
    )
    floor = Floor("the same with a worker that is started for it", _middle(cold))
    figures = [
        Figure("warm worker: request to result", "ms", warm, stated, floor, at_most(150)),
        Figure("cold worker: request to result", "ms", cold, "its start and its loading included"),
    ]
    for kind, task in (("wasm", builders.task()), ("onnx", _small_model())):
        rates = await _rates(task, effort.of(5, 1), effort.of(20, 4))
        figures.append(
            Figure(
                f"tiny {kind} tasks, one after the other",
                "/s per core",
                rates,
                "each in a worker of its own, level 3; per second of processor time that node and "
                "workers took, start and loading included; what bwrap would add is not counted",
                None,
                at_least(4),
            )
        )
    return figures


def _model_task() -> tuple[Task, int]:
    """The example's real model, on a batch of one."""
    (path, *_) = magika_models()
    assert EXAMPLES.is_dir()
    data = builders.whole_numbers("bytes", [[0] * MODEL_FILES_BYTES])
    limits = {"memory_limit_bytes": 2**29, "time_limit_ms": 20_000}
    task = builders.task(path.read_bytes(), kind="onnx", inputs=(data,), **limits)
    return task, len(data)


def _small_model() -> Task:
    return builders.task(kind="onnx", inputs=(builders.tensor(),))


async def _requests(
    report: SandboxReport, task: Task, runs: int, *, warm: bool
) -> tuple[float, ...]:
    runner, found = _runner(report), []
    async with trio.open_nursery() as nursery:
        if warm:
            nursery.start_soon(runner.tend)
            await trio.lowlevel.checkpoint()
        for _ in range(runs):
            if warm:
                runner.warm(task.kind)
                await trio.sleep(WARM_SECONDS)
            begun = time.perf_counter()
            outcome = await runner.run(task)
            found.append(1_000 * (time.perf_counter() - begun))
            assert isinstance(outcome, Finished), outcome
        nursery.cancel_scope.cancel()
    return tuple(found)


async def _rates(task: Task, runs: int, count: int) -> tuple[float, ...]:
    """Count by processor time, which the kernel tells only of children that were waited for."""
    runner, found = _runner(SandboxReport()), []
    for _ in range(runs):
        before = _spent()
        for _ in range(count):
            outcome = await runner.run(task)
            assert isinstance(outcome, Finished), outcome
        found.append(count / (_spent() - before))
    return tuple(found)


def _runner(report: SandboxReport) -> Runner:
    return Runner(DeviceWatch(Devices((Device("cpu", "processor", "", 2**30),), "none")), 1, report)


def _spent() -> float:
    """Processor time of this process and of all that it has started and ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _middle(values: tuple[float, ...]) -> float:
    return sorted(values)[len(values) // 2]
