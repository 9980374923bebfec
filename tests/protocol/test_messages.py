from typing import get_args

import pytest
from msgspec.structs import replace

from protocol.encoding import decode, encode
from protocol.errors import Misuse, Reason, Rejected
from protocol.ledger.block import content_of
from protocol.messages import (
    OPERATION_BYTES_MAX,
    Block,
    EquivocationEvidence,
    Offer,
    Operation,
    Payload,
    SignedBlock,
    SignedOperation,
    Transfer,
    network_of,
    open_operation,
    sign_operation,
    with_budget,
)
from protocol.signing import REAL
from protocol.units import AccountId, Digest, Signature
from tests.support.builders import (
    account_id,
    account_seed,
    make_genesis,
    make_offer,
    make_operation,
)

GENESIS = make_genesis(validators=1)
NETWORK = network_of(GENESIS)
PAY = Transfer(account_id(1), 7)
SIGNED = make_operation(GENESIS, 0, 0, PAY)
KEY = AccountId(b"k" * 32)


def refusal(raw: bytes) -> Reason:
    with pytest.raises(Rejected) as caught:
        open_operation(raw, NETWORK, REAL)
    return caught.value.reason


def signed_by(operation: Operation, number: int = 0) -> bytes:
    return sign_operation(operation, account_seed(number), REAL).raw


def test_an_operation_opens_to_what_was_signed() -> None:
    assert open_operation(SIGNED.raw, NETWORK, REAL) == SIGNED


def test_an_operation_is_signed_by_its_own_account_only() -> None:
    with pytest.raises(Misuse):
        sign_operation(SIGNED.operation, account_seed(1), REAL)


def test_an_operation_of_another_version_is_refused() -> None:
    assert refusal(signed_by(replace(SIGNED.operation, version=2))) is Reason.WRONG_VERSION


def test_an_operation_of_another_network_is_refused() -> None:
    other = replace(SIGNED.operation, network=Digest(bytes(32)))
    assert refusal(signed_by(other)) is Reason.WRONG_NETWORK


def test_an_operation_that_was_changed_after_signing_is_refused() -> None:
    signed = decode(SIGNED.raw, SignedOperation, OPERATION_BYTES_MAX)
    changed = encode(replace(SIGNED.operation, nonce=1))
    assert refusal(encode(replace(signed, body=changed))) is Reason.BAD_SIGNATURE


def test_an_operation_inside_one_that_is_no_operation_is_refused() -> None:
    empty = encode(SignedOperation(b"", Signature(bytes(64))))
    assert refusal(empty) is Reason.MALFORMED
    large = encode(SignedOperation(bytes(OPERATION_BYTES_MAX), Signature(bytes(64))))
    assert refusal(large) is Reason.TOO_LARGE


def test_signing_again_gives_an_operation_no_second_name() -> None:
    signed = decode(SIGNED.raw, SignedOperation, OPERATION_BYTES_MAX)
    forged = encode(replace(signed, signature=Signature(bytes(64))))
    assert refusal(forged) is Reason.BAD_SIGNATURE
    assert make_operation(GENESIS, 0, 0, PAY).identifier == SIGNED.identifier
    assert make_operation(GENESIS, 0, 1, PAY).identifier != SIGNED.identifier


def test_each_payload_has_its_own_number() -> None:
    numbers = [member.__struct_config__.tag for member in get_args(Payload)]
    assert len(set(numbers)) == len(numbers)


def test_a_blocks_content_binds_each_operation_and_their_order() -> None:
    contents = [(), (b"",), (b"a", b"b"), (b"b", b"a"), (b"ab",)]
    assert len({content_of(content) for content in contents}) == len(contents)


def test_a_budget_changes_nothing_else() -> None:
    offer = make_offer(budget=5)
    assert with_budget(offer, 9).budget == 9
    assert with_budget(with_budget(offer, 9), 5) == offer
    assert isinstance(with_budget(offer, 9), Offer)


def test_a_network_is_named_by_all_of_its_genesis() -> None:
    others = (
        replace(GENESIS, name="other"),
        replace(GENESIS, time_ms=1),
        replace(GENESIS, seed=b"\x01" * 32),
        replace(GENESIS, allocations=()),
        replace(GENESIS, faucet=KEY),
    )
    assert len({network_of(one) for one in (GENESIS, *others)}) == 6


def test_evidence_holds_two_bodies_within_an_operation() -> None:
    body = bytes(16 * 1024)
    seal = Signature(bytes(64))
    evidence = EquivocationEvidence(body, seal, body, seal)
    raw = make_operation(GENESIS, 0, 0, evidence).raw
    assert len(raw) < OPERATION_BYTES_MAX
    assert open_operation(raw, NETWORK, REAL).operation.payload == evidence


def test_a_block_has_no_field_for_what_is_not_signed() -> None:
    assert set(SignedBlock.__struct_fields__) == {"body", "operations", "signature"}
    assert "operations" not in Block.__struct_fields__
