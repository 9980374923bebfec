"""Operations signed by the identities of a group of cores."""

from protocol.messages import (
    VERSION,
    Genesis,
    Operation,
    Payload,
    Transfer,
    VerifiedOperation,
    network_of,
    sign_operation,
)
from protocol.simulator.scheme import FAKE
from tests.support.core_group import account, identity


def fake_operation(
    genesis: Genesis, number: int, nonce: int = 0, payload: Payload | None = None
) -> VerifiedOperation:
    """An operation of a numbered identity; a transfer to the next one when none is given."""
    operation = Operation(
        version=VERSION,
        network=network_of(genesis),
        account=account(number),
        nonce=nonce,
        last_epoch=100,
        payload=payload if payload is not None else Transfer(account(number + 1), 1_000_000),
    )
    return sign_operation(operation, identity(number).seed, FAKE)
