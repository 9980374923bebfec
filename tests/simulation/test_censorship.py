"""One member buries an operation in blocks that it publishes too late for anybody to refer to."""

from dataclasses import dataclass, field

from protocol import effects as fx
from protocol import events as ev
from protocol.ledger.block import content_of, leader_message, sign_block
from protocol.ledger.chain import HIDING_ROUNDS
from protocol.ledger.pool import TURN_ROUNDS
from protocol.messages import VERSION, Block, Reference, Transfer
from protocol.simulator.scheme import FAKE
from protocol.units import CREDIT, MILLISECOND, MemberIndex, Round
from tests.support.core_group import CoreGroup, account, fake_genesis, identity
from tests.support.operations import fake_operation

EVIL, VICTIM = 3, 7
GATEWAY = 4
"""The place in the group of the node of the account `VICTIM`."""
GENESIS = fake_genesis(others=(VICTIM,))
OPERATION = fake_operation(GENESIS, VICTIM, 0, Transfer(account(1), CREDIT))


@dataclass(slots=True)
class Censor:
    """A member whose blocks are made by hand: one that all see, and one that comes too late."""

    group: CoreGroup
    hidden: int = 0
    used_round: int = 0
    own: Reference = field(init=False)
    member: MemberIndex = field(init=False)

    def __post_init__(self) -> None:
        ledger = self.group.cores[0].ledger
        member = ledger.committee.index_of(account(EVIL))
        assert member is not None
        self.member = member
        last = ledger.dag.latest(member)
        assert last is not None, "it took part before"
        self.own = Reference(member, last.block.round, last.digest)
        self.used_round = last.block.round

    def turn(self) -> None:
        """Publishes a block that is never referred to, beside one that keeps it in the network."""
        ledger = self.group.cores[0].ledger
        newest = max(ledger.dag.tips())
        late = Round(newest - 1)
        if late <= self.used_round or ledger.committee.leader(late) == self.member:
            return
        hidden, shown = self._sign(late, (OPERATION.raw,)), self._sign(Round(newest), ())
        for raw in (shown[0], hidden[0]):
            for number in list(self.group.cores):
                self.group.tell(number, ev.BlockReceived(account(EVIL), raw))
        self.hidden += 1
        self.used_round, self.own = newest, shown[1]

    def _sign(self, block_round: Round, operations: tuple[bytes, ...]) -> tuple[bytes, Reference]:
        ledger = self.group.cores[0].ledger
        committee, network = ledger.committee, ledger.committee.network
        previous = Round(block_round - 1)
        firsts = [ledger.dag.first(MemberIndex(number), previous) for number in range(4)]
        parents = tuple(
            Reference(one.block.author, previous, one.digest)
            for one in firsts
            if one is not None and one.block.author != self.member
        )
        proof = output = b""
        if committee.leader(block_round) == self.member:
            message = leader_message(
                network, committee.epoch, block_round, committee.beacon_at_start
            )
            proof = FAKE.prove(identity(EVIL).vrf_seed, message)
            key = FAKE.vrf_key_of(identity(EVIL).vrf_seed)
            output = FAKE.verify_proof(key, message, proof)
        block = Block(
            version=VERSION,
            network=network,
            epoch=committee.epoch,
            round=block_round,
            author=self.member,
            own=self.own,
            parents=parents,
            weak=(),
            content=content_of(operations),
            checkpoint=None,
            proof=proof,
            time_ms=self.group.now // MILLISECOND,
        )
        signed = sign_block(block, identity(EVIL).seed, FAKE, output, operations)
        return signed.raw, Reference(self.member, block_round, signed.digest)


def test_late_blocks_of_one_member_delay_an_operation_by_a_few_rounds_only() -> None:
    group = CoreGroup(genesis=GENESIS, numbers=(0, 1, 2, 3, VICTIM)).start().seconds(6)
    group.cores.pop(EVIL)
    group._wakes.pop(EVIL, None)
    censor = Censor(group)
    group.seconds(3)
    honest = group.cores[0]
    group.tell(GATEWAY, ev.OperationSubmitted(9, OPERATION.raw))
    censor.turn()
    assert censor.hidden == 1
    assert honest.pool.is_in_block(OPERATION.identifier)
    start = honest.ledger.clock_round
    for _ in range(200):
        group.run(50 * MILLISECOND)
        censor.turn()
        if honest.state.next_nonce(account(VICTIM)) == 1:
            break
    assert honest.state.next_nonce(account(VICTIM)) == 1, "the operation is final"
    assert honest.ledger.clock_round - start <= HIDING_ROUNDS + 4 * TURN_ROUNDS
    assert censor.hidden >= 3, "it went on burying the operation"
    assert group.facts(fx.EquivocationSeen) == []
