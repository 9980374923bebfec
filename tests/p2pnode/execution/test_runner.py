import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import trio

from p2pnode.execution import tensors
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, NoResult, RunOutcome
from tests.p2pnode.execution import builders

SCRIPT_IMPORTS = """
import sys, trio
import p2pnode.execution.policy, p2pnode.execution.nvml, p2pnode.execution.tensors
from p2pnode.execution.device_watch import DeviceWatch
from p2pnode.execution.discovery import discover
from p2pnode.execution.runner import Runner
from p2pnode.interfaces import Finished, Task
async def main():
    task = Task("job", sys.argv[1], bytes.fromhex(sys.argv[2]), (bytes.fromhex(sys.argv[3]),),
                60_000, 2**28, 2**20, 2**62)
    outcome = await Runner(DeviceWatch(discover())).run(task)
    assert isinstance(outcome, Finished), outcome
trio.run(main)
foreign = {"onnx", "onnxruntime", "numpy", "wasmtime"} & set(sys.modules)
print(sorted(foreign))
"""

LARGE = builders.module(pages=32)


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others on this machine make work folders too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def children(pid: int | str = "self") -> set[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for text in lists for child in text.read_text().split()}


def is_gone(pid: int) -> bool:
    """Neither running nor a zombie."""
    return not Path(f"/proc/{pid}").exists()


def work_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("p2pnode-task-*"))


def script(kind: str, artefact: bytes, data: bytes) -> list[str]:
    return [sys.executable, "-c", SCRIPT_IMPORTS, kind, artefact.hex(), data.hex()]


def workers(pid: int | str = "self") -> set[int]:
    """Children that are workers: the standard library starts short-lived programs of its own."""
    return {child for child in children(pid) if "p2pnode.execution.worker" in _command(child)}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


async def wait_for_worker(pid: int | str = "self") -> int:
    await builders.wait_until(lambda: bool(workers(pid)), seconds=10)
    return workers(pid).pop()


async def test_a_module_runs_and_leaves_nothing_behind() -> None:
    processes, folders = children(), work_folders()
    outcome = await builders.runner().run(builders.task())
    assert isinstance(outcome, Finished)
    assert outcome.output == b"\x01\x00\x00\x00\x05\x00\x00\x00hello"
    assert outcome.fuel > 0
    assert 10 * 2**20 < outcome.peak_memory_bytes < 100 * 2**20
    assert 0 < outcome.elapsed_ms < 5000
    assert (children(), work_folders()) == (processes, folders)


async def test_a_module_whose_memory_begins_with_data_runs_in_a_confined_worker() -> None:
    body = "(i64.const 0x800000004)"
    artefact = builders.module(body, extra='(data (i32.const 8) "fish")')
    outcome = await builders.runner().run(builders.task(artefact))
    assert isinstance(outcome, Finished)
    assert outcome.output == b"fish"


async def test_a_model_runs() -> None:
    task = builders.task(kind="onnx", inputs=(builders.tensor(),))
    outcome = await builders.runner().run(task)
    assert isinstance(outcome, Finished)
    (answer,) = tensors.to_arrays(tensors.decode(outcome.output)).values()
    assert answer.tolist() == [2, 4, 6]
    assert outcome.fuel == 0


async def test_two_runs_of_a_module_give_equal_bytes_and_fuel() -> None:
    runner = builders.runner(most_parallel=2)
    found: list[RunOutcome] = []

    async def run() -> None:
        found.append(await runner.run(builders.task()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        nursery.start_soon(run)
    first, second = found
    assert isinstance(first, Finished)
    assert isinstance(second, Finished)
    assert (first.output, first.fuel) == (second.output, second.fuel)


async def test_an_unknown_kind_is_a_failure() -> None:
    outcome = await builders.runner().run(builders.task(kind="wasm", artefact=b""))
    assert outcome == Failed("the artefact is not a binary WebAssembly module", outcome.elapsed_ms)
    outcome = await builders.runner().run(builders.task(b"", kind="python"))
    assert outcome == NoResult("there is no worker for artefacts of kind 'python'", 0)


async def test_an_endless_module_runs_out_of_fuel() -> None:
    task = builders.task(builders.module(builders.FOREVER), fuel_limit=10**6)
    outcome = await builders.runner().run(task)
    assert outcome == LimitReached(Limit.FUEL, outcome.elapsed_ms, 10**6)


@pytest.mark.parametrize(
    ("kind", "artefact", "data"),
    [
        ("wasm", builders.module(builders.FOREVER), b""),
        ("onnx", builders.endless_model(), builders.tensor()),
        ("onnx", builders.folding_model(), builders.tensor()),
    ],
    ids=["wasm", "onnx", "folding while loading"],
)
async def test_an_endless_artefact_is_killed_at_its_time_limit(
    kind: str, artefact: bytes, data: bytes
) -> None:
    before = children()
    task = builders.task(artefact, kind=kind, inputs=(data,), fuel_limit=2**62, time_limit_ms=300)
    outcome = await builders.runner().run(task)
    assert outcome == LimitReached(Limit.TIME, outcome.elapsed_ms, 0)
    assert 300 <= outcome.elapsed_ms < 2000
    assert children() <= before


@pytest.mark.parametrize(
    ("kind", "artefact", "data"),
    [
        ("wasm", builders.module(builders.GROW_FOREVER), b""),
        ("wasm", builders.module(pages=60_000), b""),
        ("onnx", builders.hungry_model(), builders.tensor()),
    ],
    ids=["a module that grows", "a module that begins large", "a model"],
)
async def test_a_memory_bomb_reaches_the_memory_limit(
    kind: str, artefact: bytes, data: bytes
) -> None:
    task = builders.task(artefact, kind=kind, inputs=(data,), memory_limit_bytes=64 * 2**20)
    outcome = await builders.runner().run(task)
    assert outcome == LimitReached(Limit.MEMORY, outcome.elapsed_ms, 0)


async def test_an_output_over_the_limit_reaches_the_output_limit() -> None:
    task = builders.task(LARGE, inputs=(b"x" * 200_000,), output_limit_bytes=200_000)
    outcome = await builders.runner().run(task)
    assert isinstance(outcome, LimitReached)
    assert outcome.limit is Limit.OUTPUT


async def test_an_output_of_exactly_the_limit_arrives_whole() -> None:
    task = builders.task(LARGE, inputs=(b"x" * 2**20,), output_limit_bytes=2**20 + 8)
    outcome = await builders.runner().run(task)
    assert isinstance(outcome, Finished)
    assert len(outcome.output) == 2**20 + 8


async def test_cancellation_kills_the_worker_at_once() -> None:
    runner, folders = builders.runner(), work_folders()
    task = builders.task(builders.module(builders.FOREVER), fuel_limit=2**62, time_limit_ms=60_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(runner.run, task)
        pid = await wait_for_worker()
        await trio.sleep(0.4)
        assert not is_gone(pid)
        nursery.cancel_scope.cancel()
        asked = trio.current_time()
    assert trio.current_time() - asked < task.time_limit_ms / 1_000 / 4
    assert is_gone(pid)
    assert work_folders() == folders
    assert isinstance(await runner.run(builders.task()), Finished)


async def test_cancellation_while_the_worker_starts_kills_it_too() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(builders.runner().run, builders.task(kind="onnx"))
        pid = await wait_for_worker()
        nursery.cancel_scope.cancel()
    assert is_gone(pid)


async def test_no_more_than_the_chosen_number_run_at_once() -> None:
    runner, most = builders.runner(most_parallel=2), 0
    task = builders.task(builders.module(builders.FOREVER), fuel_limit=2**62, time_limit_ms=200)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(runner.run, task)
        for _ in range(80):
            most = max(most, len(workers()))
            await trio.sleep(0.01)
    assert most == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wasm", "onnx"])
def test_the_node_process_never_loads_what_opens_artefacts(kind: str) -> None:
    task = builders.task(kind=kind)
    command = script(kind, task.artefact, builders.tensor())
    result = subprocess.run(
        command, cwd=builders.ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert (result.stdout, result.stderr) == ("[]\n", "")


@pytest.mark.slow
async def test_a_worker_does_not_outlive_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(  # noqa: ASYNC220 - it is killed, not waited for
        script("wasm", builders.module(builders.FOREVER), b""),
        cwd=builders.ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    )
    try:
        worker = await wait_for_worker(parent.pid)
        await trio.sleep(0.3)
        assert not builders.is_dead(worker)
    finally:
        parent.kill()
        parent.wait()
    await builders.wait_until(lambda: builders.is_dead(worker), seconds=10)
