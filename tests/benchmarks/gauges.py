"""What nodes count themselves, read over HTTP as any monitoring would."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx

from p2pnode.calls import Endpoint

Counts = dict[str, float]

MESSAGES = (
    "network_gossip_in_total",
    "network_gossip_duplicate_total",
    "network_received_total",
)
"""Everything that arrived: news, copies of it, and messages to one peer."""
BYTES = ("network_gossip_bytes_in_total", "network_received_bytes_total")
FINAL = "fact_operation_applied_total"
WAITING = "pending_operations"
PREFIX = "p2pnode_"


@dataclass(frozen=True, slots=True)
class Reading:
    """The counts of every node at about one time."""

    at: float
    """Seconds of the monotonic clock."""
    nodes: tuple[Counts, ...]

    def least(self, name: str) -> float:
        """The count of the node that is behind."""
        return min(one.get(name, 0.0) for one in self.nodes)

    def total(self, names: Iterable[str]) -> float:
        """Sum of some counts over all nodes."""
        return sum(one.get(name, 0.0) for name in names for one in self.nodes)

    def mean(self, name: str) -> float:
        """Mean of a count over all nodes."""
        return self.total([name]) / len(self.nodes)


async def read(client: httpx.AsyncClient, endpoints: Sequence[Endpoint], at: float) -> Reading:
    """Ask every node."""
    return Reading(at, tuple([await _counts(client, one) for one in endpoints]))


async def _counts(client: httpx.AsyncClient, endpoint: Endpoint) -> Counts:
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    answer = await client.get(f"http://{endpoint.address}/metrics", headers=headers)
    rows = [line.split() for line in answer.text.splitlines() if not line.startswith("#")]
    return {name.removeprefix(PREFIX): float(value) for name, value in rows}
