"""Workers that misbehave on purpose: the program behind them is replaced, not our own code."""

import sys
from pathlib import Path
from typing import Protocol

import pytest
import trio

from p2pnode.execution import frames
from p2pnode.execution.process import STDERR_BYTES_MAX, AnswerError, WorkerProcess
from p2pnode.interfaces import Failed, Limit, LimitReached, NoResult, RunOutcome
from tests.p2pnode.execution import builders


class Pretend(Protocol):
    def __call__(self, script: str, preamble: str = ...) -> None: ...


PREAMBLE = f"""#!{sys.executable} -S
import os, struct, sys, time
sys.argv = sys.argv[-6:]
result = int(sys.argv[3])
def answer(data):
    os.write(result, data)
answer(b"R\\x02")
"""


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Let a script of ours stand where the interpreter stands."""

    def replace(script: str, preamble: str = PREAMBLE) -> None:
        program = tmp_path / "program"
        program.write_text(preamble + script)
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return replace


async def run(time_limit_ms: int = 2000, output_limit_bytes: int = 100) -> RunOutcome:
    task = builders.task(
        time_limit_ms=time_limit_ms, output_limit_bytes=output_limit_bytes, memory_limit_bytes=0
    )
    return await builders.runner().run(task)


async def test_an_answer_that_is_garbage_is_a_failure(pretend: Pretend) -> None:
    pretend("answer(struct.pack('<Q', 1) + b'\\xc1')")
    outcome = await run()
    assert isinstance(outcome, Failed)
    assert outcome.detail.startswith("the worker's answer is not MessagePack")


async def test_an_announced_answer_over_the_limit_is_not_read(pretend: Pretend) -> None:
    pretend("answer(struct.pack('<Q', 2**60)); time.sleep(60)")
    outcome = await run()
    assert outcome == LimitReached(Limit.OUTPUT, outcome.elapsed_ms, 0)
    assert outcome.elapsed_ms < 1000


async def test_a_broken_off_answer_is_a_failure_with_the_last_words(pretend: Pretend) -> None:
    pretend("answer(struct.pack('<Q', 50)); sys.exit('first\\nI give up\\nreally')")
    outcome = await run()
    assert outcome == Failed(
        "the worker ended without an answer: I give up / really", outcome.elapsed_ms
    )


async def test_a_crash_is_a_failure_with_the_signals_name(pretend: Pretend) -> None:
    pretend("os.kill(os.getpid(), 11)")
    outcome = await run()
    assert outcome == Failed("the worker crashed with SIGSEGV: it said nothing", outcome.elapsed_ms)


async def test_a_kill_by_the_system_is_told_apart(pretend: Pretend) -> None:
    pretend("os.kill(os.getpid(), 9)")
    outcome = await run()
    assert outcome == NoResult(
        "the system killed the worker, most likely for want of memory", outcome.elapsed_ms
    )


async def test_an_abort_for_want_of_memory_reaches_the_memory_limit(pretend: Pretend) -> None:
    pretend("os.write(2, b'memory allocation of 99 bytes failed'); os.abort()")
    outcome = await run()
    assert outcome == LimitReached(Limit.MEMORY, outcome.elapsed_ms, 0)


async def test_processor_time_that_is_used_up_reaches_the_time_limit(pretend: Pretend) -> None:
    pretend("os.kill(os.getpid(), 24)")
    outcome = await run()
    assert outcome == LimitReached(Limit.TIME, outcome.elapsed_ms, 0)


async def test_resident_memory_over_the_allowance_is_seen_from_outside(pretend: Pretend) -> None:
    pretend("hoard = bytearray(os.urandom(2**20) * 150); time.sleep(60)")
    outcome = await run(time_limit_ms=10_000)
    assert outcome == LimitReached(Limit.MEMORY, outcome.elapsed_ms, 0)
    assert outcome.elapsed_ms < 5000


async def test_a_worker_that_never_gets_ready_is_no_result(pretend: Pretend) -> None:
    pretend("pass", preamble="#!/bin/sh\necho no libraries >&2; exit 1\n")
    assert await run() == NoResult("the worker could not load its libraries: no libraries", 0)


async def test_a_program_that_cannot_be_started_is_no_result(pretend: Pretend) -> None:
    pretend("pass", preamble="#!/nowhere\n")
    outcome = await run()
    assert isinstance(outcome, NoResult)
    assert outcome.detail.startswith("the worker process could not be started: ")


async def test_what_a_worker_left_behind_in_its_group_is_killed(
    pretend: Pretend, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    pretend(f"""
child = os.fork()
if child == 0:
    os.closerange(0, 100)
    time.sleep(60)
open({str(note)!r}, "w").write(str(child))
os._exit(0)
""")
    outcome = await run()
    assert isinstance(outcome, Failed)
    await builders.wait_until(lambda: builders.is_dead(int(note.read_text())), seconds=10)


async def test_a_flood_of_complaints_is_bounded(pretend: Pretend) -> None:
    pretend("sys.stderr.write('x' * 10_000_000); sys.stderr.flush(); time.sleep(60)")
    worker = WorkerProcess("wasm", "cpu")
    try:
        assert await worker.wait_ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.collect_complaints)
            kept = "x" * STDERR_BYTES_MAX
            await builders.wait_until(lambda: worker.complaints == kept, seconds=10)
            await trio.sleep(0.2)
            assert worker.complaints == kept, "the rest of the flood is not kept"
            nursery.cancel_scope.cancel()
    finally:
        await worker.kill()


async def test_an_answer_is_read_up_to_the_limit(pretend: Pretend) -> None:
    pretend("answer(struct.pack('<Q', 3) + b'abc' + struct.pack('<Q', 4) + b'abcd')")
    worker = WorkerProcess("wasm", "cpu")
    try:
        assert await worker.wait_ready()
        assert await worker.receive(3) == b"abc"
        with pytest.raises(AnswerError):
            await worker.receive(3)
    finally:
        await worker.kill()


async def test_a_worker_begins_in_an_empty_folder(pretend: Pretend) -> None:
    pretend("data = repr(os.listdir()).encode(); answer(struct.pack('<Q', len(data)) + data)")
    worker = WorkerProcess("onnx", "cpu")
    try:
        assert await worker.wait_ready()
        assert await worker.receive(frames.OVERHEAD_BYTES) == b"[]"
    finally:
        await worker.kill()


async def test_a_worker_sees_nothing_of_the_nodes_environment(
    pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATOR_SECRET", "key")
    pretend("data = repr(sorted(os.environ)).encode(); answer(struct.pack('<Q', len(data)) + data)")
    worker = WorkerProcess("wasm", "cpu")
    try:
        assert await worker.wait_ready()
        seen = await worker.receive(frames.OVERHEAD_BYTES)
    finally:
        await worker.kill()
    assert seen is not None
    assert b"PYTHONPATH" in seen
    assert b"OPERATOR_SECRET" not in seen
    assert b"HOME" not in seen
