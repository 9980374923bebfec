"""This node's own account: the next place in its chain, and its signature."""

from typing import Final

from protocol.encoding import decode, digest_of, encode
from protocol.errors import Reason, Rejected
from protocol.ledger.pool import OperationPool
from protocol.messages import (
    OPERATION_BYTES_MAX,
    VERSION,
    EpochPayload,
    Operation,
    Payload,
    VerifiedOperation,
    sign_operation,
)
from protocol.signing import Scheme
from protocol.state import State
from protocol.units import AccountId, Digest, JobId

OPERATION_EPOCHS: Final = 144
"""An own operation is void after this many epochs: a day of ten-minute epochs."""

DUTY_EPOCHS: Final = 1
"""What an account owes an epoch says nothing after the next one; void, it costs nothing."""


class OwnAccount:
    """Signs operations in one chain without gaps."""

    def __init__(
        self, seed: bytes, network: Digest, state: State, pool: OperationPool, scheme: Scheme
    ) -> None:
        self.account: AccountId = scheme.account_of(seed)
        self._seed = seed
        self._network = network
        self._state = state
        self._pool = pool
        self._scheme = scheme

    def sign(self, payload: Payload, clock_round: int) -> VerifiedOperation:
        """Signs the next operation of the chain and puts it into the pool.

        Raises:
            Rejected: `UNKNOWN_ACCOUNT`, `POOL_FULL`, or `MALFORMED` for values out of range.
        """
        is_duty = isinstance(payload, EpochPayload)
        operation = Operation(
            version=VERSION,
            network=self._network,
            account=self.account,
            nonce=self._pool.next_own_nonce(self.account),
            last_epoch=self._state.epochs.epoch + (DUTY_EPOCHS if is_duty else OPERATION_EPOCHS),
            payload=payload,
        )
        # Whatever only we could read would be final for us and void for everybody else.
        decode(encode(operation), Operation, OPERATION_BYTES_MAX)
        signed = sign_operation(operation, self._seed, self._scheme)
        self._pool.add(signed, clock_round, own=True)
        return signed

    def leave_room_for_duties(self) -> None:
        """Refuses requests of people while a quarter of the chain's places is left.

        A commitment must be opened in time even when a program floods its own node.

        Raises:
            Rejected: `POOL_FULL`.
        """
        final = self._state.next_nonce(self.account) or 0
        waiting = self._pool.next_own_nonce(self.account) - final
        if waiting >= self._state.parameters.chain_pool_max * 3 // 4:
            detail = f"{waiting} operations of this account are not final yet: wait for some"
            raise Rejected(Reason.POOL_FULL, detail)

    def salt(self, job: JobId) -> bytes:
        """Derives the secret salt of a commitment, equal again after a restart."""
        return digest_of(b"salt", self._seed, self._network, job)
