"""The network layer alone: what it takes to bring a payload to everybody, without a ledger."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import trio

from p2pnode.network import Network
from tests.benchmarks.figures import Effort, Figure, Floor, percentile
from tests.benchmarks.ledger import verification_seconds
from tests.support.networks import TOPIC, open_networks, wait_joined

NODES = 5
RATE = 20
"""Messages a second: below what one core carries, so that nothing waits."""
SETTLE_SECONDS = 2.0
PAYLOAD_BYTES = 240
"""A signed transfer has about as many."""
MESSAGES = ("gossip_in", "gossip_duplicate")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one payload costs all nodes together."""

    cpu_seconds: float
    size_bytes: float
    messages: float
    latencies: tuple[float, ...] = ()
    """Seconds until the last node had each payload."""


def measure(effort: Effort) -> Iterator[Figure]:
    """Publish payloads of the size of an operation and listen at every node."""
    count = effort.of(400, 100)
    cost = raw_gossip(PAYLOAD_BYTES, count)
    stated = (
        f"{NODES} networks in one process, all linked, {count} payloads of {PAYLOAD_BYTES} bytes "
        f"at {RATE}/s, signed by their publishers, no ledger"
    )
    floor = Floor(f"{NODES - 1} Ed25519 verifications", (NODES - 1) * verification_seconds() * 1e3)
    yield Figure("raw gossip: processor time", "ms", (cost.cpu_seconds * 1e3,), stated, floor)
    least = Floor(f"one copy to each of {NODES - 1} nodes", float((NODES - 1) * PAYLOAD_BYTES))
    yield Figure("raw gossip: bytes received", "B", (cost.size_bytes,), stated, least)
    copies = Floor("one copy for each node", NODES - 1.0)
    yield Figure("raw gossip: messages received", "", (cost.messages,), stated, copies)
    for percent in (50, 99):
        value = percentile(list(cost.latencies), percent) * 1e3
        yield Figure(f"raw gossip: at all nodes, p{percent}", "ms", (value,), stated)


def raw_gossip(payload_bytes: int, count: int) -> Cost:
    """Gossip payloads in a full mesh and count what arrives."""
    return trio.run(_raw_gossip, payload_bytes, count)


async def _raw_gossip(payload_bytes: int, count: int) -> Cost:
    sent: dict[bytes, float] = {}
    heard: dict[bytes, list[float]] = {}
    async with open_networks(NODES) as networks, trio.open_nursery() as nursery:
        for one, other in combinations(networks, 2):
            await one.connect(other.addresses[0])
        for one, other in combinations(networks, 2):
            await wait_joined(one, other)
        for network in networks:
            nursery.start_soon(_listen, network, heard)
        await trio.sleep(SETTLE_SECONDS)
        before, begun = _counts(networks), time.process_time()
        for number in range(count):
            payload = os.urandom(payload_bytes)
            sent[payload] = time.monotonic()
            await networks[number % NODES].publish(TOPIC, payload)
            await trio.sleep(1 / RATE)
        await trio.sleep(SETTLE_SECONDS)
        cpu, after = time.process_time() - begun, _counts(networks)
        nursery.cancel_scope.cancel()
    complete = [one for one in sent if len(heard.get(one, ())) == NODES - 1]
    assert len(complete) == count, f"{len(complete)} of {count} payloads reached everybody"
    latencies = tuple(max(heard[one]) - sent[one] for one in complete)
    size_bytes, messages = (end - start for start, end in zip(before, after, strict=True))
    return Cost(cpu / count, size_bytes / count, messages / count, latencies)


def _counts(networks: list[Network]) -> tuple[int, int]:
    totals = [network.counters() for network in networks]
    size_bytes = sum(one.get("gossip_bytes_in", 0) for one in totals)
    return size_bytes, sum(one.get(name, 0) for one in totals for name in MESSAGES)


async def _listen(network: Network, heard: dict[bytes, list[float]]) -> None:
    async for event in network.events:
        payload = getattr(event, "payload", None)
        if isinstance(payload, bytes):
            heard.setdefault(payload, []).append(time.monotonic())
