"""A node that floods the others: with noise, with forgeries, and with operations of no use.

Each burst costs the honest another stage of their checks: noise fails to decode, a forged block and
forged operations fail only at their signatures, and a valid transfer of the smallest amount takes
its place in the ledger. Bursts end with the safety phase.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocol import events as ev
from protocol.core import Core
from protocol.encoding import decode, encode
from protocol.messages import VERSION, Operation, SignedBlock, SignedOperation, Transfer
from protocol.simulator.chance import Stream
from protocol.simulator.engine import Engine
from protocol.simulator.node import Node
from protocol.simulator.scenario import Behaviour, Scenario
from protocol.units import MILLISECOND, SIGNATURE_BYTES, AccountId, Epoch, Nonce, Signature
from protocol.wire import OperationBatch

PAUSE_NS: Final = 200 * MILLISECOND
"""From one burst to the next."""

FORGED_OPERATIONS: Final = 8
"""In each burst, in the name of another account."""

NOISE_DIGESTS: Final = 16
"""Length of the noise in each burst, in digests of 32 bytes."""

TICKET: Final = 0
"""Of requests that nobody waits for."""

WORTHLESS: Final = Signature(bytes(SIGNATURE_BYTES))
FORMAT_MAX: Final = 2**31


@dataclass(frozen=True, slots=True)
class Hose:
    """What it needs of the world.

    Attributes:
        engine: Virtual time.
        flood_block: Sends everybody else what a node says is a block.
        flood_message: Sends everybody else a message of a node.
        note: Told of each burst.
    """

    engine: Engine
    flood_block: Callable[[int, bytes], None]
    flood_message: Callable[[int, bytes], None]
    note: Callable[[Behaviour, int], None]


class Spammer:
    """Floods in the name of one node, which does its work besides.

    Args:
        node: Whose links and whose door it uses.
        victim: Whose name it puts on forged operations.
        chance: What its noise is drawn from.
        until_ns: When it ends.
        hose: What it needs of the world.
    """

    def __init__(
        self, node: Node, victim: AccountId, chance: Stream, until_ns: int, hose: Hose
    ) -> None:
        self._node = node
        self._victim = victim
        self._chance = chance
        self._until_ns = until_ns
        self._hose = hose
        hose.engine.after(PAUSE_NS, self._burst)

    def _burst(self) -> None:
        engine, core = self._hose.engine, self._node.core
        if engine.now + PAUSE_NS < self._until_ns:
            engine.after(PAUSE_NS, self._burst)
        if core is None or self._node.is_paused:
            return
        number = self._node.index
        self._hose.note(Behaviour.SPAMMING, number)
        noise = b"".join(self._chance.digest() for _ in range(NOISE_DIGESTS))
        self._hose.flood_block(number, noise)
        forged = _forged_block(core)
        if forged is not None:
            self._hose.flood_block(number, forged)
        self._hose.flood_message(number, encode(self._forged_operations(core)))
        self._node.deliver(ev.OperationRequested(TICKET, Transfer(self._victim, 1)))

    def _forged_operations(self, core: Core) -> OperationBatch:
        first = self._chance.below(2**20)
        bodies = (
            Operation(
                version=VERSION,
                network=core.ledger.committee.network,
                account=self._victim,
                nonce=Nonce(first + number),
                last_epoch=Epoch(0),
                payload=Transfer(core.account, 1),
            )
            for number in range(FORGED_OPERATIONS)
        )
        return OperationBatch(
            tuple(encode(SignedOperation(encode(body), WORTHLESS)) for body in bodies)
        )


def _forged_block(core: Core) -> bytes | None:
    """Puts a worthless signature on the node's newest block; None before it has made one."""
    member = core.ledger.committee.index_of(core.account)
    newest = None if member is None else core.ledger.dag.latest(member)
    if newest is None:
        return None
    signed = decode(newest.raw, SignedBlock, FORMAT_MAX)
    return encode(SignedBlock(signed.body, signed.operations, WORTHLESS))


def spammers_of(
    scenario: Scenario, nodes: tuple[Node, ...], accounts: tuple[AccountId, ...], hose: Hose
) -> tuple[Spammer, ...]:
    """Makes the spammers of a scenario; each forges in the name of the first honest account."""
    victim = accounts[scenario.honest[0]]
    return tuple(
        Spammer(node, victim, Stream(scenario.seed, "spam", node.index), scenario.safety_ns, hose)
        for node in nodes
        if scenario.behaviour(node.index) is Behaviour.SPAMMING
    )
