"""How many operations a second become final in real processes, and what each of them costs."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import linear_regression

import httpx
import trio

from p2pnode.calls import ClientError
from p2pnode.client import AsyncClient
from tests.benchmarks.figures import Effort, Figure, Floor, at_least, at_most
from tests.benchmarks.gauges import BYTES, FINAL, MESSAGES, WAITING, Reading, read
from tests.benchmarks.gossip import Cost, raw_gossip
from tests.benchmarks.ledger import verification_seconds
from tests.benchmarks.processes import resident_mib
from tests.benchmarks.real_nodes import NODES, RealNodes, conditions, running

TARGET_RATE = 200
RATE = 225
"""Offered: somewhat more than the target, so that a missed one is the nodes' doing."""
ACCOUNTS = 1_000
TICKS = 5
"""Requests a second to each node; each carries the operations of its tick."""
WARM_UP_SECONDS = 5
DRAIN_SECONDS = 8
PATIENCE_SECONDS = 30
"""For an answer of a node under load."""
STEPS = (300, 400, 600, 800)
STEP_SECONDS = 15
READING_SECONDS = 0.37
"""Out of step with the offers, which come five times a second."""
SUSTAINED = 0.97
"""Part of the offered rate that must become final for it to count as carried."""
GROWTH = 0.05
"""Part of a second's offer by which a backlog may grow and still count as not growing."""
MILLI = 1e3


@dataclass(slots=True)
class _Run:
    """One load: readings all along, and the nodes' time on processors at its two ends."""

    rate: int
    readings: list[Reading] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def seconds(self) -> float:
        """Time between the first and the last reading."""
        return self.readings[-1].at - self.readings[0].at

    @property
    def final(self) -> float:
        """Operations that became final meanwhile, at the node that saw the fewest."""
        return self.readings[-1].least(FINAL) - self.readings[0].least(FINAL)

    @property
    def final_rate(self) -> float:
        """The same for each second."""
        return self.final / self.seconds

    @property
    def growth(self) -> float:
        """By how much a node's waiting operations grow in a third of the time: least squares.

        Commits take them away in bursts, so two means of a few readings differ by chance.
        """
        times = [one.at for one in self.readings]
        waiting = [one.mean(WAITING) for one in self.readings]
        return linear_regression(times, waiting).slope * self.seconds / 3

    @property
    def is_carried(self) -> bool:
        """Whether what was offered became final, and not ever more waited."""
        return self.final_rate >= self.rate * SUSTAINED and self.growth <= self.rate * GROWTH

    def spent(self, names: Sequence[str]) -> float:
        """What all nodes together counted meanwhile, for each final operation."""
        return (self.readings[-1].total(names) - self.readings[0].total(names)) / self.final


def measure(effort: Effort) -> Iterator[Figure]:
    """Hold the rate of the target, then look how far it goes."""
    seconds = effort.of(60, 15)
    steps = STEPS if not effort.quick else ()
    with running(ACCOUNTS) as nodes:
        held, *further = trio.run(_load, nodes, seconds, steps)
        text = conditions(nodes.genesis.parameters)
        size = len(nodes.transfers(1)[0][0])
        memory = tuple(resident_mib(pid) for pid in nodes.pids)
    verification = verification_seconds()
    stated = (
        f"{text}; {RATE}/s offered for {seconds} s in {TICKS} requests a second to each node, "
        f"{ACCOUNTS} accounts, each operation signed by its own; "
        f"{held.refused} refused or unanswered"
    )
    cores = os.cpu_count() or 1
    ceiling = Floor(
        f"{NODES} verifications for each operation on all {cores} cores",
        cores / (NODES * verification),
    )
    yield Figure(
        "final operations", "/s", (held.final_rate,), stated, ceiling, at_least(TARGET_RATE)
    )
    grown = (
        f"{stated}; in a third of the time, by least squares over {len(held.readings)} readings, "
        f"at most {GROWTH:.0%} of a second's offer"
    )
    yield Figure(
        "waiting operations, growth", "ops", (held.growth,), grown, target=at_most(RATE * GROWTH)
    )
    yield Figure(
        "highest rate carried, final operations",
        "/s",
        (max(run.final_rate for run in (held, *further) if run is held or run.is_carried),),
        f"{text}; {STEP_SECONDS} s each, offered and final: {_listed(further)}",
        ceiling,
    )
    total = sum(run.final for run in (held, *further))
    after = f"each node, after {total:.0f} final operations"
    yield Figure("memory of a node after the load", "MiB", memory, after)
    yield from _costs(held, stated, verification, raw_gossip(size, effort.of(400, 100)))


def _costs(held: _Run, stated: str, verification: float, raw: Cost) -> Iterator[Figure]:
    name = "the same payloads by raw gossip, one a message"
    yield Figure(
        "processor time of all nodes per operation",
        "ms",
        ((held.cpu[1] - held.cpu[0]) / held.final * MILLI,),
        stated,
        Floor(f"{NODES} Ed25519 verifications", NODES * verification * MILLI),
    )
    yield Figure(
        "the same next to gossip alone",
        "ms",
        ((held.cpu[1] - held.cpu[0]) / held.final * MILLI,),
        stated,
        Floor(name, raw.cpu_seconds * MILLI),
    )
    yield Figure(
        "bytes received by all nodes per operation",
        "B",
        (held.spent(BYTES),),
        stated,
        Floor(name, raw.size_bytes),
    )
    yield Figure(
        "messages received by all nodes per operation",
        "",
        (held.spent(MESSAGES),),
        stated,
        Floor(name, raw.messages),
    )


def _listed(runs: Sequence[_Run]) -> str:
    return ", ".join(f"{run.rate} {run.final_rate:.0f}" for run in runs) or "nothing above it"


async def _load(nodes: RealNodes, seconds: int, steps: Sequence[int]) -> list[_Run]:
    """Hold the first rate, then raise it until it is not carried."""
    needed = RATE * (seconds + WARM_UP_SECONDS) + sum(steps) * (STEP_SECONDS + WARM_UP_SECONDS)
    rows = nodes.transfers(needed // ACCOUNTS + len(steps) + 2)
    queue = iter([raw for row in rows for raw in row])
    runs = [await _press(nodes, queue, _Run(RATE), seconds)]
    for rate in steps:
        if not runs[-1].is_carried:
            break
        runs.append(await _press(nodes, queue, _Run(rate), STEP_SECONDS))
    return runs


async def _press(nodes: RealNodes, queue: Iterator[bytes], run: _Run, seconds: int) -> _Run:
    """Offer operations at a rate, and read every node's counts meanwhile."""
    begun = trio.current_time()
    end = begun + WARM_UP_SECONDS + seconds
    watching = httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS)
    async with watching, trio.open_nursery() as nursery:
        nursery.start_soon(_offer, nodes, queue, run, end)
        await trio.sleep(WARM_UP_SECONDS)
        run.cpu.append(nodes.cpu_seconds())
        while (now := trio.current_time()) < end:
            run.readings.append(await read(watching, nodes.endpoints, time.monotonic()))
            await trio.sleep_until(min(now + READING_SECONDS, end))
        run.readings.append(await read(watching, nodes.endpoints, time.monotonic()))
        run.cpu.append(nodes.cpu_seconds())
    await trio.sleep(DRAIN_SECONDS)
    return run


async def _offer(nodes: RealNodes, queue: Iterator[bytes], run: _Run, end: float) -> None:
    """Give each node its share at each tick, whether it has answered the last one or not."""
    clients = [AsyncClient(one.address, one.token) for one in nodes.endpoints]
    tick = trio.current_time()
    async with trio.open_nursery() as nursery:
        while tick < end:
            for client, batch in zip(clients, _shares(queue, run.rate), strict=True):
                nursery.start_soon(_hand_in, client, batch, run)
            tick += 1 / TICKS
            await trio.sleep_until(tick)
    for client in clients:
        await client.close()


def _shares(queue: Iterator[bytes], rate: int) -> list[list[bytes]]:
    """The operations of one tick, by node.

    Accounts come in turn and their number is a multiple of the nodes', so that every account keeps
    to one node, where its operations arrive in their order.
    """
    chosen = list(islice(queue, rate // TICKS // NODES * NODES))
    return [chosen[node::NODES] for node in range(NODES)]


async def _hand_in(client: AsyncClient, batch: list[bytes], run: _Run) -> None:
    try:
        answers = await client.submit_operations(batch)
    except ClientError:
        run.refused += len(batch)
    else:
        run.refused += sum("error" in answer for answer in answers)
