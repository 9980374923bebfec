"""A pool of operations for tests, and operations to put into it."""

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from protocol.errors import Reason, Rejected
from protocol.ledger.pool import OperationPool
from protocol.messages import StakeDeposit, VerifiedOperation
from protocol.parameters import minimal
from protocol.units import AccountId, MemberIndex
from tests.support.builders import account_id, make_genesis, make_operation
from tests.support.dag_builder import make_committee

GENESIS = make_genesis(validators=1)
COMMITTEE = make_committee((1, 1, 1, 1))
STRANGER = 9
PLENTY = 10**6


def operation(number: int, nonce: int, amount: int = 1) -> VerifiedOperation:
    return make_operation(GENESIS, number, nonce, StakeDeposit(amount), signed=False)


def chain(number: int, *nonces: int) -> tuple[VerifiedOperation, ...]:
    return tuple(operation(number, nonce) for nonce in nonces)


@dataclass
class Bench:
    """A pool, and the first nonce of each account that is not final."""

    nonces: dict[AccountId, int] = field(default_factory=dict)
    chain_pool_max: int = 256
    block_operations_max: int = 512
    block_bytes_max: int = 256 * 1024

    def __post_init__(self) -> None:
        limits = replace(
            minimal(),
            chain_pool_max=self.chain_pool_max,
            block_operations_max=self.block_operations_max,
            block_bytes_max=self.block_bytes_max,
        )
        self.pool = OperationPool(limits, lambda account: self.nonces.get(account, 0))

    def add(self, *operations: VerifiedOperation, own: bool = True) -> OperationPool:
        for one in operations:
            self.pool.add(one, 1, own=own)
        return self.pool

    def settle(self, number: int, nonce: int) -> None:
        self.nonces[account_id(number)] = nonce
        self.pool.settle(account_id(number), nonce)

    def select(self, member: int = 0, clock_round: int = 1) -> tuple[VerifiedOperation, ...]:
        return self.pool.select(COMMITTEE, MemberIndex(member), clock_round)

    def put_in_block(
        self, block_round: int, *operations: VerifiedOperation, author: int = 1
    ) -> None:
        for one in operations:
            self.pool.in_block(one.identifier, block_round, MemberIndex(author))


def refusal(bench: Bench, one: VerifiedOperation, own: bool = False) -> Reason:
    with pytest.raises(Rejected) as caught:
        bench.pool.add(one, 1, own=own)
    return caught.value.reason
