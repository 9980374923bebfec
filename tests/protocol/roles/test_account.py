import pytest
from msgspec.structs import replace

from protocol.errors import Reason, Rejected
from protocol.ledger.pool import OperationPool
from protocol.messages import Operation, Transfer, network_of, open_operation
from protocol.parameters import minimal
from protocol.roles.account import OPERATION_EPOCHS, OwnAccount
from protocol.signing import REAL
from protocol.units import JobId
from tests.support.builders import HandLedger, account_id, account_seed, make_genesis

PAY = Transfer(account_id(1), 1)


def make_account(number: int = 0, chain_pool_max: int = 4) -> tuple[OwnAccount, OperationPool]:
    genesis = make_genesis(validators=2)
    state = HandLedger(genesis).state
    limits = replace(minimal(), chain_pool_max=chain_pool_max)
    pool = OperationPool(limits, state.next_nonce)
    seed = account_seed(number)
    return OwnAccount(seed, network_of(genesis), state, pool, REAL), pool


def test_operations_are_signed_in_one_chain_and_pooled() -> None:
    own, pool = make_account()
    signed = [own.sign(PAY, 1) for _ in range(3)]
    assert [one.operation.nonce for one in signed] == [0, 1, 2]
    assert pool.operations(account_id(0)) == tuple(signed)


def test_an_operation_is_what_everybody_opens_it_to() -> None:
    own, _ = make_account()
    signed = own.sign(PAY, 1)
    network = network_of(make_genesis(validators=2))
    assert signed.operation == Operation(1, network, account_id(0), 0, OPERATION_EPOCHS, PAY)
    assert open_operation(signed.raw, network, REAL) == signed


def test_a_gap_in_the_chain_is_filled_first() -> None:
    own, pool = make_account()
    other, _ = make_account()
    signed = [other.sign(PAY, 1) for _ in range(3)]
    pool.add(signed[0], 1)
    pool.add(signed[2], 1)
    assert [own.sign(PAY, 1).operation.nonce for _ in range(2)] == [1, 3]


def test_an_account_that_was_never_funded_signs_nothing() -> None:
    own, pool = make_account(5)
    with pytest.raises(Rejected) as caught:
        own.sign(PAY, 1)
    assert caught.value.reason is Reason.UNKNOWN_ACCOUNT
    assert len(pool) == 0


def test_too_many_waiting_operations_are_refused() -> None:
    own, pool = make_account(chain_pool_max=2)
    own.sign(PAY, 1)
    own.sign(PAY, 1)
    with pytest.raises(Rejected) as caught:
        own.sign(PAY, 1)
    assert caught.value.reason is Reason.POOL_FULL
    pool.settle(account_id(0), 1)
    assert own.sign(PAY, 1).operation.nonce == 2


def test_a_salt_is_secret_and_the_same_after_a_restart() -> None:
    job, other = JobId(bytes(32)), JobId(b"\x01" * 32)
    own, again = make_account()[0], make_account()[0]
    assert own.salt(job) == again.salt(job)
    assert len({own.salt(job), own.salt(other), make_account(1)[0].salt(job)}) == 3
    assert len(own.salt(job)) == 32


def test_what_nobody_could_open_is_not_signed() -> None:
    own, pool = make_account()
    with pytest.raises(Rejected) as caught:
        own.sign(Transfer(account_id(1), 2**63), 1)
    assert caught.value.reason is Reason.MALFORMED
    assert len(pool) == 0


def test_requests_of_people_leave_room_for_duties() -> None:
    own, _ = make_account(chain_pool_max=minimal().chain_pool_max)
    for _ in range(minimal().chain_pool_max * 3 // 4):
        own.leave_room_for_duties()
        own.sign(PAY, 1)
    with pytest.raises(Rejected) as caught:
        own.leave_room_for_duties()
    assert caught.value.reason is Reason.POOL_FULL
    own.sign(PAY, 1)
