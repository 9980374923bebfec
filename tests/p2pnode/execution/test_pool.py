from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from p2pnode.execution import pool as pooling
from p2pnode.execution.pool import Pool, available_bytes
from p2pnode.execution.process import WorkerProcess
from p2pnode.interfaces import Finished
from tests.p2pnode.execution import builders


@asynccontextmanager
async def tended(tend: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tend)
        await trio.testing.wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


def make(kind: str) -> WorkerProcess:
    return WorkerProcess(kind, "cpu")


async def test_a_pool_that_nobody_tends_warms_nothing() -> None:
    pool = Pool(make, 2)
    pool.warm("wasm")
    assert pool.waiting == ()


async def test_a_warm_worker_is_handed_out_once_and_the_rest_is_ended() -> None:
    pool = Pool(make, 2)
    async with tended(pool.tend):
        pool.warm("wasm")
        pool.warm("wasm")
        assert pool.waiting == ("wasm",)
        worker = await pool.take("wasm")
        assert pool.waiting == ()
        assert await worker.wait_ready()
        await worker.kill()
        pool.warm("wasm")
        left = pool._waiting["wasm"].worker
    assert builders.is_dead(left.pid)
    pool.warm("wasm")
    assert pool.waiting == (), "nobody would end it any more"


async def test_no_more_wait_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(make, 1)
    async with tended(pool.tend):
        pool.warm("wasm")
        pool.warm("onnx")
        assert pool.waiting == ("wasm",)
    starved = Pool(make, 1)
    monkeypatch.setattr(pooling, "FREE_BYTES_MIN", available_bytes() * 2)
    async with tended(starved.tend):
        starved.warm("wasm")
        assert starved.waiting == (), "the machine has no memory to give"


async def test_a_worker_that_died_waiting_is_replaced() -> None:
    pool = Pool(make, 1)
    async with tended(pool.tend):
        pool.warm("wasm")
        dead = pool._waiting["wasm"].worker
        dead._popen.kill()
        await builders.wait_until(dead.has_ended, seconds=10)
        worker = await pool.take("wasm")
        assert worker.pid != dead.pid
        assert await worker.wait_ready()
        await worker.kill()


async def test_a_worker_that_waits_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "TEND_SECONDS", 0.05)
    monkeypatch.setattr(pooling, "IDLE_SECONDS", 0.1)
    pool = Pool(make, 1)
    async with tended(pool.tend):
        pool.warm("wasm")
        pid = pool._waiting["wasm"].worker.pid
        await builders.wait_until(lambda: not pool.waiting, seconds=10)
        await builders.wait_until(lambda: builders.is_dead(pid), seconds=10)


async def test_a_program_that_cannot_be_started_is_not_warmed() -> None:
    def broken(kind: str) -> WorkerProcess:
        raise OSError(kind)

    pool = Pool(broken, 1)
    async with tended(pool.tend):
        pool.warm("wasm")
        assert pool.waiting == ()


async def test_each_run_takes_a_fresh_worker_and_leaves_one_waiting() -> None:
    runner = builders.runner()
    async with tended(runner.tend):
        runner.warm("oci")
        runner.warm("wasm")
        seen = set()
        for _ in range(2):
            seen.add(runner._pool._waiting["wasm"].worker.pid)
            assert isinstance(await runner.run(builders.task()), Finished)
        assert len(seen) == 2, "no worker serves twice"
        assert runner._pool.waiting == ("wasm",)
