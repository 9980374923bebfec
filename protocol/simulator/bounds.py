"""What a node keeps stays under its caps, whatever the others send it."""

from collections.abc import Iterator
from dataclasses import dataclass

from protocol.core import Core
from protocol.ledger.block import ENVELOPE_BYTES
from protocol.ledger.pending import MISSING_MAX, VARIANTS_MAX
from protocol.ledger.pool import POOL_OPERATIONS_MAX
from protocol.ledger.pool import VARIANTS_MAX as OPERATION_VARIANTS_MAX
from protocol.simulator.log import Log, Violation
from protocol.simulator.scenario import StaleDisk
from protocol.simulator.world import World


@dataclass(frozen=True, slots=True)
class Gauge:
    """One size that has a cap."""

    name: str
    size: int
    cap: int


def bounds(world: World, log: Log) -> list[Violation]:
    """Queues, pools and stores of honest nodes are no larger than their limits allow."""
    return [
        Violation("bounds", node, f"{gauge.size} {gauge.name}, at most {gauge.cap}")
        for node, gauge in gauges(world, log)
        if gauge.size > gauge.cap
    ]


def gauges(world: World, log: Log) -> Iterator[tuple[int, Gauge]]:
    """Reads the sizes of every honest node that is up."""
    restored = [fault.node for fault in world.scenario.faults if isinstance(fault, StaleDisk)]
    for node in world.live_honest:
        if node.core is None:
            continue
        yield from ((node.index, gauge) for gauge in memory_gauges(node.core))
        if node.index not in restored:
            count, size_bytes = log.kept.get(node.index, (0, 0))
            kept = store_gauges(node.core, count, size_bytes)
            yield from ((node.index, gauge) for gauge in kept)


def memory_gauges(core: Core) -> Iterator[Gauge]:
    """Reads the sizes of what a core holds in memory."""
    parameters, ledger = core.parameters, core.ledger
    own = OPERATION_VARIANTS_MAX * parameters.chain_pool_max
    longest = pooled = len(core.pool)
    if pooled > own:  # else no account has too many, and nobody need ask each of them
        longest = max(len(core.pool.operations(one)) for one in core.state.accounts)
    yield Gauge("pooled operations", pooled, POOL_OPERATIONS_MAX + own)
    yield Gauge("pooled operations of one account", longest, own)
    yield Gauge("blocks waited for", len(ledger.missing()), MISSING_MAX)
    rounds = max(ledger.dag.tips()) - ledger.gc_round
    most = VARIANTS_MAX * len(ledger.committee) * max(0, rounds)
    yield Gauge("blocks in memory", len(ledger.dag), most)


def store_gauges(core: Core, count: int, size_bytes: int) -> Iterator[Gauge]:
    """Reads the sizes of a node's store, which grows with the rounds.

    Args:
        core: The node's.
        count: Blocks that it has written; what a crash took may have been written twice.
        size_bytes: Their bytes together.
    """
    ledger, epochs = core.ledger, core.state.epochs
    newest = max(ledger.dag.tips()) + ledger.base_round
    if not newest:
        return  # it has not read its store yet, as when it was paused at its start
    newest += epochs.epoch * core.parameters.rounds_ahead_max  # beyond each end, until it is seen
    before = epochs.before or ledger.committee
    members = max(len(core.genesis.validators), len(before), len(ledger.committee))
    most = VARIANTS_MAX * members * newest
    block_bytes = core.parameters.block_bytes_max + ENVELOPE_BYTES
    yield Gauge("blocks written", count, most)
    yield Gauge("bytes written", size_bytes, count * block_bytes)
