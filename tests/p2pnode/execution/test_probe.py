import os
import shutil
import subprocess

import pytest

from p2pnode.execution import probe as probing
from p2pnode.execution.probe import WRAPPER, SandboxReport, leaks_of, probe
from p2pnode.execution.sandbox import Walls
from p2pnode.interfaces import Finished, Limit, LimitReached
from tests.p2pnode.execution import builders

ALL = Walls(namespaces=True, own_processes=True, files=True, calls=True)


async def test_a_probe_reports_what_this_machine_refuses() -> None:
    report = await probe()
    assert report.why == ""
    assert report.leaks == ()
    if report.walls.own_processes:
        assert report.wrapper == WRAPPER
    assert report.level == report.walls.level
    assert (report.level == 4) == (report.advice == ())


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="for want of bwrap")
async def test_a_task_runs_inside_the_wrapper_and_leaves_nothing_behind() -> None:
    report = await probe()
    if report.level < 4:
        pytest.skip("for want of namespaces inside namespaces")
    runner = builders.runner(report=report)
    outcome = await runner.run(builders.task())
    assert isinstance(outcome, Finished)
    assert outcome.output == b"\x01\x00\x00\x00\x05\x00\x00\x00hello"
    endless = builders.task(builders.module(builders.FOREVER), fuel_limit=2**62, time_limit_ms=300)
    stopped = await runner.run(endless)
    assert stopped == LimitReached(Limit.TIME, stopped.elapsed_ms, 0)
    bomb = builders.task(
        kind="onnx",
        artefact=builders.hungry_model(),
        inputs=(builders.tensor(),),
        memory_limit_bytes=64 * 2**20,
    )
    full = await runner.run(bomb)
    assert full == LimitReached(Limit.MEMORY, full.elapsed_ms, 0)
    await builders.wait_until(lambda: not builders.workers_left(), seconds=10)


async def test_a_worker_that_reaches_less_than_promised_gets_no_task() -> None:
    report = SandboxReport(ALL)
    outcome = await builders.runner(report=report).run(builders.task())
    assert "the worker reached sandbox level" in getattr(outcome, "detail", "")


async def test_a_probe_that_cannot_start_leaves_level_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing.sys, "executable", "/nowhere/python")
    report = await probe()
    assert report.level == 0
    assert "could not be probed" in report.advice[0]


async def test_an_answer_that_is_none_leaves_level_0() -> None:
    done: subprocess.CompletedProcess[bytes] = subprocess.CompletedProcess(
        [], 1, b"", b"Traceback\nKeyError: lost"
    )
    report = probing._read(done, ())
    assert (report.level, report.why) == (0, "exit status 1 KeyError: lost")


def test_walls_that_let_something_through_count_as_none() -> None:
    leaks = leaks_of(Walls(files=True, calls=True), os.getppid())
    assert "reading a file" in leaks, "this process is not locked up"
    assert "an internet socket" in leaks
    assert SandboxReport(ALL, leaks=leaks).level == 0
    assert leaks_of(Walls(), os.getppid()) == (), "nothing was promised"


def test_a_gpu_has_level_0_and_each_missing_wall_an_advice() -> None:
    assert SandboxReport(ALL).level_on("cpu") == 4
    assert SandboxReport(ALL).level_on("cuda:0") == 0
    assert len(SandboxReport(Walls()).advice) == 4
    assert SandboxReport(ALL).view()["advice"] == []
