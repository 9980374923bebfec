"""A member that puts others' operations where nobody will look: into blocks that come too late.

It makes a block for every other round only, when all others have passed it, and at once the one of
the round before, which holds every waiting operation. Nothing refers to that one, and it breaks no
rule: the two are in different rounds, and each continues the same block of its author.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from protocol.core import Core
from protocol.ledger.block import (
    VerifiedBlock,
    content_of,
    genesis_reference,
    leader_message,
    sign_block,
)
from protocol.ledger.dag import Dag
from protocol.messages import VERSION, Block, Reference
from protocol.signing import Identity, Scheme
from protocol.simulator.engine import Engine
from protocol.simulator.node import Node
from protocol.simulator.scenario import Behaviour, Scenario
from protocol.units import MILLISECOND, MemberIndex, Round

LOOK_NS: Final = 10 * MILLISECOND
"""How often it looks whether the others have passed another round."""

SILENT_ROUNDS: Final = 8
"""It does not wait for a member that has fallen so far behind the first."""

LATE_NS: Final = 150 * MILLISECOND
"""The hidden block follows the shown one so much later, so that none meets it alone."""


@dataclass(frozen=True, slots=True)
class Around:
    """What it needs of the world.

    Attributes:
        engine: Virtual time.
        scheme: Signature functions.
        publish: Shows everybody, the node itself too, a block of a node.
        note: Told of each block that hides operations.
    """

    engine: Engine
    scheme: Scheme
    publish: Callable[[int, bytes], None]
    note: Callable[[Behaviour, int], None]


class Burier:
    """Makes the blocks of one node, whose core only follows.

    Args:
        node: What it knows the network from.
        identity: The node's secrets.
        around: What it needs of the world.
    """

    def __init__(self, node: Node, identity: Identity, around: Around) -> None:
        self._node = node
        self._identity = identity
        self._around = around
        self._last: Reference | None = None
        around.engine.after(LOOK_NS, self._look)

    def _look(self) -> None:
        self._around.engine.after(LOOK_NS, self._look)
        core = self._node.core
        member = core.ledger.committee.index_of(core.account) if core is not None else None
        if core is None or member is None:
            return
        others = [tip for index, tip in enumerate(core.ledger.dag.tips()) if index != member]
        at_work = [tip for tip in others if tip + SILENT_ROUNDS >= max(others)]
        self._act(core, member, Round(min(at_work)))

    def _act(self, core: Core, member: MemberIndex, passed: Round) -> None:
        """Shows a block of the round that all others have passed, and hides one before it."""
        last = self._last or genesis_reference(core.ledger.committee, member)
        if passed < last.round + 2:
            return
        shown = self._block(core, last, passed, ())
        if shown is None:
            return
        self._around.publish(self._node.index, shown.raw)
        self._last = Reference(member, passed, shown.digest)
        raws = _waiting(core)
        hidden = self._block(core, last, Round(passed - 1), raws) if raws else None
        if hidden is not None:
            self._around.note(Behaviour.BURYING, self._node.index)
            self._around.engine.after(
                LATE_NS, partial(self._around.publish, self._node.index, hidden.raw)
            )

    def _block(
        self, core: Core, last: Reference, target: Round, raws: tuple[bytes, ...]
    ) -> VerifiedBlock | None:
        """Makes a valid block of a round; None where that takes more than is here."""
        ledger, committee = core.ledger, core.ledger.committee
        parents = _parents(ledger.dag, MemberIndex(last.author), Round(target - 1))
        weight = sum(committee.weight(MemberIndex(parent.author)) for parent in parents)
        if weight < committee.quorum:
            return None
        proof, output = b"", b""
        if committee.leader(target) == last.author:
            beacon = committee.beacon_at_start
            message = leader_message(committee.network, committee.epoch, target, beacon)
            proof = self._around.scheme.prove(self._identity.vrf_seed, message)
            key = self._around.scheme.vrf_key_of(self._identity.vrf_seed)
            output = self._around.scheme.verify_proof(key, message, proof)
        block = Block(
            version=VERSION,
            network=committee.network,
            epoch=committee.epoch,
            round=target,
            author=last.author,
            own=last,
            parents=parents,
            weak=(),
            content=content_of(raws),
            checkpoint=None,
            proof=proof,
            time_ms=self._around.engine.now // MILLISECOND,
        )
        return sign_block(block, self._identity.seed, self._around.scheme, output, raws)


def _parents(dag: Dag, member: MemberIndex, previous: Round) -> tuple[Reference, ...]:
    blocks = sorted(dag.blocks_of_round(previous), key=lambda one: one.block.author)
    first = {one.block.author: one for one in reversed(blocks) if one.block.author != member}
    return tuple(Reference(author, previous, first[author].digest) for author in sorted(first))


def _waiting(core: Core) -> tuple[bytes, ...]:
    """Everything that waits of accounts outside the committee; members bring in their own."""
    return tuple(
        operation.raw
        for account in core.state.accounts
        if core.ledger.committee.index_of(account) is None
        for operation in core.pool.operations(account)
    )


def buriers_of(
    scenario: Scenario,
    nodes: tuple[Node, ...],
    identities: tuple[Identity, ...],
    around: Around,
) -> tuple[Burier, ...]:
    """Makes the buriers of a scenario."""
    return tuple(
        Burier(node, identities[node.index], around)
        for node in nodes
        if scenario.behaviour(node.index) is Behaviour.BURYING
    )
