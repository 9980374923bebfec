"""How fast gossip overlays run without a ledger, and what memory they take."""

import multiprocessing
import time
from collections.abc import Iterator

from protocol.simulator.overlay.experiments import PUBLISHED_LINKS, published_gossipsub
from protocol.simulator.overlay.parameters import (
    OverlayParameters,
    as_the_node,
    gossipsub_1_0,
    gossipsub_attacked_1_1,
)
from tests.benchmarks.figures import Effort, Figure, at_least
from tests.benchmarks.processes import peak_mib

SIZES = (100, 1_000, 10_000)
JUDGED = 1_000
"""Nodes for which a rate is asked."""

STRATEGIES = {
    "flood as our node does": as_the_node(),
    "gossipsub 1.0": gossipsub_1_0(),
    "gossipsub 1.1 with scores": gossipsub_attacked_1_1(),
}

Sample = tuple[float, float]
"""Gossip events per second, and the most memory that the process held in MiB."""


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure each strategy at each size, each in a process of its own."""
    for count in SIZES[: effort.of(3, 2)]:
        for name, parameters in STRATEGIES.items():
            messages = effort.of(60, 20) if count < SIZES[-1] else 20
            found = [_apart(count, messages, parameters) for _ in range(effort.of(3, 1))]
            stated = (
                f"{count} nodes, {parameters.dials} links dialled by each, {messages} messages, "
                "delays from 10 to 165 ms; copies and control sent; processor time of one core"
            )
            yield Figure(
                f"{name}, n={count}",
                "events/s",
                tuple(rate for rate, _ in found),
                stated,
                target=at_least(100_000) if count == JUDGED else None,
            )
            yield Figure(
                f"{name}, n={count}: memory",
                "MiB",
                tuple(memory for _, memory in found),
                "most memory of the whole process",
            )


def _apart(count: int, messages: int, parameters: OverlayParameters) -> Sample:
    """Measure in a fresh process, since memory that was once taken stays with its process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_sample, (count, messages, parameters))


def _sample(count: int, messages: int, parameters: OverlayParameters) -> Sample:
    begun = time.process_time()
    deliveries = published_gossipsub(count, messages, 1, parameters, PUBLISHED_LINKS)
    spent = time.process_time() - begun
    assert deliveries.delivered > 0
    return deliveries.events / spent, peak_mib()
