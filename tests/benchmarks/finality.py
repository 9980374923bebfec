"""How long an operation takes to become final in real processes, at a modest rate."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import trio

from p2pnode.calls import Endpoint
from p2pnode.client import AsyncClient
from tests.benchmarks.figures import Effort, Figure, Floor, at_most, percentile
from tests.benchmarks.real_nodes import NODES, RealNodes, conditions, running

RATE = 20
PATIENCE_SECONDS = 15.0
SILENCE_SECONDS = 60.0
ACCOUNTS = 200


@dataclass(slots=True)
class Times:
    """When operations were handed in, and when each node said that they are final."""

    asked: dict[str, float] = field(default_factory=dict)
    final: dict[tuple[int, str], float] = field(default_factory=dict)
    epoch_ends: list[float] = field(default_factory=list)
    """As the first node said them."""

    def are_whole(self) -> bool:
        """Whether each node has said of each operation that it is final."""
        return all((node, one) in self.final for one in self.asked for node in range(NODES))

    def at_own_node(self, own: dict[str, int]) -> list[float]:
        """Seconds until the node that took an operation in said that it is final."""
        ends = [(self.final.get((own[one], one)), begun) for one, begun in self.asked.items()]
        return [end - begun if end else float("inf") for end, begun in ends]

    def everywhere(self) -> list[float]:
        """Seconds until the last node said so."""
        found = []
        for one, begun in self.asked.items():
            ends = [self.final.get((node, one), float("inf")) for node in range(NODES)]
            found.append(max(ends) - begun)
        return found


def measure(effort: Effort) -> Iterator[Figure]:
    """Offer operations evenly over all nodes and listen to each node's stream of facts."""
    with running(ACCOUNTS) as nodes:
        own: dict[str, int] = {}
        times = trio.run(offer, nodes, effort.of(60, 15), own)
        pace = nodes.genesis.parameters.minimum_round_ms / 1_000
        text = conditions(nodes.genesis.parameters)
    stated = f"{text}; {len(times.asked)} transfers at {RATE}/s, one a request, each of its account"
    floor = Floor("three rounds at the stated pace", 3 * pace)
    for place, values in (
        ("its own node", times.at_own_node(own)),
        ("all nodes", times.everywhere()),
    ):
        for percent, limit in ((50, 1.5), (99, 3.0)):
            yield Figure(
                f"operation final at {place}, p{percent}",
                "s",
                (percentile(values, percent),),
                stated,
                floor,
                at_most(limit),
            )


async def offer(nodes: RealNodes, seconds: int, own: dict[str, int]) -> Times:
    """Hand in operations evenly for a while; `own` gets the node of each."""
    times = Times()
    rounds = RATE * seconds // len(nodes.accounts) + 1
    raws = [raw for row in nodes.transfers(rounds) for raw in row][: RATE * seconds]
    async with trio.open_nursery() as nursery:
        for number, endpoint in enumerate(nodes.endpoints):
            await nursery.start(_listen, number, endpoint, times)
        async with trio.open_nursery() as asking:
            clients = [AsyncClient(one.address, one.token) for one in nodes.endpoints]
            begun = trio.current_time()
            for index, raw in enumerate(raws):
                await trio.sleep_until(begun + index / RATE)
                # An account keeps to one node: its operations must arrive in their order.
                node = index % len(nodes.accounts) % NODES
                asking.start_soon(_ask, clients[node], raw, times, (own, node))
        with trio.move_on_after(PATIENCE_SECONDS):
            while not times.are_whole():  # noqa: ASYNC110  set by listeners
                await trio.sleep(0.05)
        for client in clients:
            await client.close()
        nursery.cancel_scope.cancel()
    return times


async def _ask(
    client: AsyncClient, raw: bytes, times: Times, own: tuple[dict[str, int], int]
) -> None:
    begun = time.monotonic()
    (answer,) = await client.submit_operations([raw])
    assert "operation" in answer, answer
    times.asked[answer["operation"]] = begun
    own[0][answer["operation"]] = own[1]


async def _listen(
    node: int,
    endpoint: Endpoint,
    times: Times,
    task_status: trio.TaskStatus[None],  # type: ignore[name-defined]  # old stubs
) -> None:
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    url = f"http://{endpoint.address}/v1/events"
    async with (
        httpx.AsyncClient(trust_env=False, timeout=SILENCE_SECONDS, headers=headers) as client,
        client.stream("GET", url) as stream,
    ):
        assert stream.status_code == 200, stream.status_code
        task_status.started()
        async for line in stream.aiter_lines():
            if "operation_applied" in line:
                fact = json.loads(line.removeprefix("data: "))
                times.final[node, fact["identifier"]] = time.monotonic()
            elif node == 0 and '"epoch_closed"' in line:
                times.epoch_ends.append(time.monotonic())
