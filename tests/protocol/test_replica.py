from dataclasses import replace
from typing import NoReturn

from protocol.encoding import encode
from protocol.errors import Reason
from protocol.facts import OperationApplied, OperationFailed
from protocol.ledger.admission import Admission
from protocol.ledger.block import VerifiedBlock
from protocol.messages import Transfer
from protocol.replica import GOSSIPED_OPERATIONS_MAX, Applied, Replica
from protocol.simulator.scheme import FAKE
from protocol.units import CREDIT, MemberIndex, Round
from protocol.wire import OperationBatch, Summary
from tests.support.core_group import CoreGroup, account, fake_genesis
from tests.support.operations import fake_operation

GENESIS = fake_genesis(others=(7,))
PAY = Transfer(account(1), CREDIT)


def refuse_to_verify(*_: object) -> NoReturn:
    raise AssertionError("a signature or a proof was checked")


UNABLE = replace(FAKE, verify=refuse_to_verify, verify_proof=refuse_to_verify)


def weave(*batches: tuple[bytes, ...], rounds: int = 12) -> tuple[VerifiedBlock, ...]:
    """Blocks of a running network; the operations of the n-th batch stand in round n + 1."""
    group = CoreGroup(genesis=GENESIS).start()
    validators = [core.validator for core in group.cores.values()]
    blocks: list[VerifiedBlock] = []
    for number in range(1, rounds + 1):
        for raw in batches[number - 1] if number <= len(batches) else ():
            group.cores[0].pool.add(group.cores[0].admission.operation(raw), 0, own=True)
        row = []
        for core, validator in zip(group.cores.values(), validators, strict=True):
            assert validator is not None
            row.append(validator.propose(core.pool, number * 1_000_000_000))
        for core in group.cores.values():
            for block in row:
                core.replica.take(block)
        blocks += row
        assert {block.block.round for block in row} == {number}
    return tuple(blocks)


def make_replica() -> Replica:
    return Replica(GENESIS, FAKE)


def taken(replica: Replica, blocks: tuple[VerifiedBlock, ...]) -> list[Applied]:
    return [applied for block in blocks for applied in replica.take(block).applied]


def facts(applied: list[Applied]) -> list[object]:
    return [fact for one in applied for fact in one.facts]


def test_an_operation_is_pooled_while_its_block_is_not_final_and_settled_after() -> None:
    one = fake_operation(GENESIS, 7, 0, PAY)
    blocks = weave((one.raw,))
    replica = make_replica()
    assert taken(replica, blocks[:4]) == []
    assert replica.pool.is_in_block(one.identifier)
    applied = taken(replica, blocks[4:])
    assert facts(applied) == [OperationApplied(one.identifier, account(7))]
    assert one.identifier not in replica.pool
    assert replica.state.next_nonce(account(7)) == 1


def test_all_copies_apply_the_same_commits_to_the_same_states() -> None:
    one, two = (fake_operation(GENESIS, 7, nonce, PAY) for nonce in (0, 1))
    blocks = weave((one.raw,), (two.raw,), rounds=8)
    first, second = make_replica(), make_replica()
    applied = taken(first, blocks)
    assert sum(one.operations for one in applied) == 2
    assert taken(second, blocks[::-1]) == applied
    assert second.state.digest == first.state.digest == applied[-1].state_digest


def test_an_operation_ordered_before_its_predecessor_returns_to_the_pool() -> None:
    early, late = fake_operation(GENESIS, 7, 1, PAY), fake_operation(GENESIS, 7, 0, PAY)
    group = CoreGroup(genesis=GENESIS).start()
    core = group.cores[0]
    replica = core.replica
    replica.pool.add(early, 1)
    replica.pool.in_block(early.identifier, 1, MemberIndex(1))
    replica._settle_pool(OperationFailed(early.identifier, account(7), Reason.NONCE_GAP, ""))
    assert not replica.pool.is_in_block(early.identifier)
    replica.pool.add(late, 1)
    assert replica.pool.operations(account(7)) == (late, early)


def test_bytes_that_are_no_operation_are_ordered_and_do_nothing() -> None:
    group = CoreGroup(genesis=GENESIS).start().seconds(1)
    replica = make_replica()
    assert replica._open(b"no operation") is None
    replica._note_in_block(b"no operation", weave(rounds=1)[0])
    assert len(replica.pool) == 0
    assert group.cores[0].state.digest == replica.state.digest


def test_blocks_are_passed_on_only_when_they_are_valid() -> None:
    block = weave(rounds=1)[0]
    replica = make_replica()
    assert replica.screen_block(block.raw)
    assert not replica.screen_block(block.raw[:-1] + bytes((block.raw[-1] ^ 1,)))
    assert not replica.screen_block(b"")
    assert replica.ledger.dag.blocks_of_round(Round(1)) == (), "looking changes nothing"


def test_blocks_behind_the_horizon_are_not_passed_on_and_cost_no_signature() -> None:
    blocks = weave(rounds=40)
    replica = make_replica()
    assert all(replica.screen_block(block.raw) for block in blocks)
    taken(replica, blocks)
    horizon = replica.ledger.gc_round
    assert horizon > 1
    fresh = Admission(replica.ledger.committee, replica.network, replica.parameters, UNABLE)
    for admission in (replica.admission, fresh):
        replica.admission = admission
        kept = [block for block in blocks if block.block.round > horizon]
        stale = [block for block in blocks if block.block.round <= horizon]
        assert not any(replica.screen_block(block.raw) for block in stale)
    replica.admission = make_replica().admission
    assert all(replica.screen_block(block.raw) for block in kept)


def test_final_operations_are_not_passed_on() -> None:
    one, two = (fake_operation(GENESIS, 7, nonce, PAY) for nonce in (0, 1))
    replica = make_replica()
    assert replica.screen_operations(encode(OperationBatch((one.raw,))))
    taken(replica, weave((one.raw,)))
    assert replica.state.next_nonce(account(7)) == 1
    assert not replica.screen_operations(encode(OperationBatch((one.raw,))))
    assert not replica.screen_operations(encode(OperationBatch((two.raw, one.raw))))
    assert replica.screen_operations(encode(OperationBatch((two.raw,))))


def test_batches_that_repeat_an_operation_or_are_too_long_are_not_passed_on() -> None:
    replica = make_replica()
    one, two = fake_operation(GENESIS, 7, 0), fake_operation(GENESIS, 7, 1)
    assert not replica.screen_operations(encode(OperationBatch((one.raw, two.raw, one.raw))))
    many = tuple(fake_operation(GENESIS, 7, n).raw for n in range(GOSSIPED_OPERATIONS_MAX + 1))
    assert not replica.screen_operations(encode(OperationBatch(many)))
    assert replica.screen_operations(encode(OperationBatch(many[1:])))


def test_operations_are_passed_on_only_when_all_of_them_are_valid_and_funded() -> None:
    replica = make_replica()
    good, other = fake_operation(GENESIS, 7), fake_operation(GENESIS, 1)
    stranger = fake_operation(GENESIS, 9)
    assert replica.screen_operations(encode(OperationBatch((good.raw, other.raw))))
    assert not replica.screen_operations(encode(OperationBatch((good.raw, stranger.raw))))
    assert not replica.screen_operations(encode(OperationBatch((good.raw, b"no operation"))))
    assert not replica.screen_operations(encode(Summary(0, (), (), answer=False)))
    assert not replica.screen_operations(b"")
    assert len(replica.pool) == 0, "looking changes nothing"


def test_dropped_blocks_give_their_operations_back() -> None:
    one = fake_operation(GENESIS, 7, 1, PAY)
    replica = make_replica()
    replica.pool.add(one, 1)
    replica.pool.in_block(one.identifier, 1, MemberIndex(1))
    taken(replica, weave(rounds=40))
    assert replica.ledger.gc_round > 1
    assert not replica.pool.is_in_block(one.identifier)
