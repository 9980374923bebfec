"""Whether an operation waits when an epoch ends: five real processes with short epochs."""

from collections.abc import Iterator

import trio
from msgspec.structs import replace as with_terms

from protocol.parameters import local
from tests.benchmarks.figures import Effort, Figure, Floor, at_most, percentile
from tests.benchmarks.finality import ACCOUNTS, RATE, Times, offer
from tests.benchmarks.real_nodes import conditions, running

EPOCH_ROUNDS = 48
ALLOWED = 2
"""How many times its usual p99 an operation may take that an end of an epoch falls into."""


def measure(effort: Effort) -> Iterator[Figure]:
    """Offer operations evenly, and tell those apart into whose wait an end fell."""
    terms = with_terms(local(), epoch_rounds=EPOCH_ROUNDS)
    with running(ACCOUNTS, terms) as nodes:
        own: dict[str, int] = {}
        times = trio.run(offer, nodes, effort.of(120, 30), own)
    usual, across = _apart(times, own)
    assert times.epoch_ends, "no epoch ended meanwhile"
    stated = (
        f"{conditions(terms)}; {len(times.asked)} transfers at {RATE}/s; {len(times.epoch_ends)} "
        f"epochs of {EPOCH_ROUNDS} rounds ended, while {len(across)} of them waited"
    )
    floor = Floor("the others, p99", percentile(usual, 99))
    yield Figure("operation final, no end of an epoch, p99", "s", (floor.value,), stated)
    limit = at_most(ALLOWED * floor.value)
    value = (percentile(across, 99),)
    yield Figure("operation final, across an end, p99", "s", value, stated, floor, limit)


def _apart(times: Times, own: dict[str, int]) -> tuple[list[float], list[float]]:
    """Seconds until final at the own node: without an end of an epoch meanwhile, and with one."""
    usual: list[float] = []
    across: list[float] = []
    for identifier, begun in times.asked.items():
        end = times.final.get((own[identifier], identifier), float("inf"))
        is_across = any(begun <= one <= end for one in times.epoch_ends)
        (across if is_across else usual).append(end - begun)
    return usual, across
