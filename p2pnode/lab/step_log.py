"""What a real node's core was seen to do, written by the node itself, so that nothing is missed.

One JSON object a line, in the data folder; a node that starts again goes on behind what is there.
Each has `at_ns`, by the clock that all processes of a machine share and no fault can change, and
either `fact` with the fields of a fact, when it is reported, or `step`:

opened      a process begins
restored    its core goes on: the commit and state of its snapshot (0: none), and what it holds
block       the core took a block in: its digest, epoch, round, author and size
received    how many blocks gossip has brought since the last such line
execute, stop_execution, execution_ended, execution_impossible      runs of jobs
links       by account, how often the node has written to a peer in this process, and how many bytes
gauge       a size that has a cap, when it is nearer to the cap than ever before
spin        the core asks to be woken at once, again and again
raised      the core raised an error
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from p2pnode.driver import Step, World
from p2pnode.facts import record_of
from p2pnode.network import Network
from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.encoding import encode
from protocol.simulator.bounds import Gauge, memory_gauges, store_gauges
from protocol.simulator.node import SPINS_MAX
from protocol.simulator.run import DEFECTS
from protocol.units import SECOND, CommitIndex, Digest

STEPS_NAME = "laboratory-steps.jsonl"


class StepLog:
    """The log of one process.

    Args:
        path: Where to write; what is there stays.
        clock_ns: The machine's own clock.
    """

    def __init__(self, path: Path, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._file = path.open("a")
        self._clock_ns = clock_ns
        self._received = 0
        self._wake_at = 0
        self._idle_ticks = 0
        self._kept = (0, 0)
        self._next_look_ns = 0
        self._nearest: dict[str, tuple[int, int]] = {}
        self._written: Callable[[], Mapping[bytes, tuple[int, int]]] = dict
        self._write([{"step": "opened"}])

    def watch_core(self, core: Core) -> Step:
        """Put a pen between a driver and its core, which holds nothing but its snapshot yet."""
        snapshot = core.state.index, core.state.digest

        def step(event: ev.Event, now: int) -> tuple[fx.Effect, ...]:
            if isinstance(event, ev.Restored):
                self._write([_restored_row(snapshot, core)])
            try:
                effects = core.step(event, now)
            except DEFECTS as error:
                self._write([{"step": "raised", "detail": f"{type(error).__name__}: {error}"}])
                raise
            self._write([*self._seen(event, effects, now), *self._looks(core)])
            return effects

        return step

    def watch_links(self, network: Network) -> None:
        """Note from now on what the node writes to its peers."""
        self._written = lambda: network.written

    def watch_world(self, world: World) -> World:
        """Put a pen between a driver and what it asks for once its records are safe."""
        return _NotedWorld(world, self._write)

    def _seen(
        self, event: ev.Event, effects: Iterable[fx.Effect], now: int
    ) -> list[dict[str, object]]:
        rows = []
        match event:
            case ev.BlockReceived():
                self._received += 1
            case ev.ExecutionEnded(job, outcome, output, elapsed_ms):
                ended = {"outcome": outcome, "output": output.hex(), "elapsed_ms": elapsed_ms}
                rows.append({"step": "execution_ended", "job": job.hex(), **ended})
            case ev.ExecutionImpossible(job=job):
                rows.append({"step": "execution_impossible", "job": job.hex()})
            case _:
                pass
        for effect in effects:
            if isinstance(effect, fx.PersistBlock):
                self._kept = (self._kept[0] + 1, self._kept[1] + len(effect.raw))
                rows.append(_block_row(effect))
            elif isinstance(effect, fx.WakeAt):
                self._wake_at = effect.time
        if rows and self._received:
            rows.insert(0, {"step": "received", "count": self._received})
            self._received = 0
        is_idle = isinstance(event, ev.Tick) and self._wake_at <= now
        self._idle_ticks = self._idle_ticks + 1 if is_idle else 0
        if self._idle_ticks == SPINS_MAX:
            rows.append({"step": "spin"})
        return rows

    def _looks(self, core: Core) -> list[dict[str, object]]:
        """Look now and then what the links carried and how near the sizes are to their caps."""
        if self._clock_ns() < self._next_look_ns:
            return []
        self._next_look_ns = self._clock_ns() + SECOND
        gauges = [*memory_gauges(core), *store_gauges(core, *self._kept)]
        written = {account.hex(): counted for account, counted in self._written().items()}
        links: list[dict[str, object]] = [{"step": "links", "peers": written}] if written else []
        return links + [_gauge_row(gauge) for gauge in gauges if self._is_nearest(gauge)]

    def _is_nearest(self, gauge: Gauge) -> bool:
        size, cap = self._nearest.get(gauge.name, (-1, 1))
        if gauge.size * cap <= size * gauge.cap:
            return False
        self._nearest[gauge.name] = (gauge.size, gauge.cap)
        return True

    def _write(self, rows: Iterable[dict[str, object]]) -> None:
        at_ns = self._clock_ns()
        text = "".join(json.dumps({"at_ns": at_ns, **row}) + "\n" for row in rows)
        if text:
            # Once written it outlives this process, however that ends; a disk may take its time.
            self._file.write(text)
            self._file.flush()


class _NotedWorld:
    """The world of one driver, whose facts and runs of jobs are noted."""

    def __init__(self, world: World, write: Callable[[Iterable[dict[str, object]]], None]) -> None:
        self._world = world
        self._write = write

    async def keep(self, records: tuple[fx.Persist, ...]) -> None:
        """Make records durable."""
        await self._world.keep(records)

    async def perform(self, effect: fx.Effect) -> None:
        """Do one effect, and note the begin or the end of a run."""
        match effect:
            case fx.Execute(job, offer, requester):
                named = {"requester": requester.hex(), "offer": encode(offer).hex()}
                self._write([{"step": "execute", "job": job.hex(), **named}])
            case fx.StopExecution(job):
                self._write([{"step": "stop_execution", "job": job.hex()}])
            case _:
                pass
        await self._world.perform(effect)

    def report(self, fact: fx.Fact) -> None:
        """Take note of a fact, twice."""
        self._write([record_of(fact)])
        self._world.report(fact)


def _restored_row(snapshot: tuple[CommitIndex, Digest], core: Core) -> dict[str, object]:
    index, state_digest = snapshot
    return {
        "step": "restored",
        "snapshot_index": index,
        "snapshot_state_digest": state_digest.hex(),
        "index": core.state.index,
        "state_digest": core.state.digest.hex(),
    }


def _block_row(effect: fx.PersistBlock) -> dict[str, object]:
    return {
        "step": "block",
        "digest": effect.digest.hex(),
        "epoch": effect.epoch,
        "round": effect.round,
        "author": effect.author,
        "size_bytes": len(effect.raw),
    }


def _gauge_row(gauge: Gauge) -> dict[str, object]:
    return {"step": "gauge", "name": gauge.name, "size": gauge.size, "cap": gauge.cap}
