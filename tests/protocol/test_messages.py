from typing import get_args

import pytest
from msgspec.structs import replace

from protocol.encoding import decode, encode
from protocol.errors import Misuse, Reason, Rejected
from protocol.messages import (
    MESSAGE_BYTES_MAX,
    OPERATION_BYTES_MAX,
    Block,
    BlockBatch,
    BlockRequest,
    ChainTip,
    EquivocationEvidence,
    Offer,
    Operation,
    OperationBatch,
    Payload,
    PeerMessage,
    SignedBlock,
    SignedOperation,
    Summary,
    Transfer,
    content_of,
    network_of,
    open_message,
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


def digests(count: int) -> tuple[Digest, ...]:
    return tuple(Digest(number.to_bytes(32, "big")) for number in range(count))


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


@pytest.mark.parametrize("union", [Payload, PeerMessage])
def test_each_member_of_a_union_has_its_own_number(union: object) -> None:
    numbers = [member.__struct_config__.tag for member in get_args(union)]
    assert len(set(numbers)) == len(numbers)


def test_the_largest_request_for_blocks_opens() -> None:
    request = BlockRequest(0, digests(512), (2**31 - 1,) * 64)
    assert open_message(encode(request)) == request


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(BlockRequest(0, digests(513), ()), id="too many wanted"),
        pytest.param(BlockRequest(0, (), (0,) * 65), id="too many members"),
        pytest.param(BlockRequest(0, (), (2**31,)), id="a round out of range"),
        pytest.param(BlockRequest(0, (Digest(b"short"),), ()), id="a short digest"),
        pytest.param(BlockBatch((b"",) * 4_097), id="too many blocks"),
        pytest.param(OperationBatch((b"",) * 4_097), id="too many operations"),
        pytest.param(
            Summary(0, (), (ChainTip(KEY, 0, bytes(8)),) * 257, answer=False), id="too many chains"
        ),
        pytest.param(Summary(0, (0,) * 65, (), answer=False), id="too many tips"),
        pytest.param(
            Summary(0, (), (ChainTip(KEY, 0, bytes(7)),), answer=False), id="a short fingerprint"
        ),
        pytest.param(
            Summary(0, (), (ChainTip(KEY, 2**53 + 1, bytes(8)),), answer=True), id="a far position"
        ),
    ],
)
def test_messages_beyond_their_bounds_are_refused(message: PeerMessage) -> None:
    with pytest.raises(Rejected) as caught:
        open_message(encode(message))
    assert caught.value.reason is Reason.MALFORMED


def test_the_largest_summary_opens() -> None:
    chains = tuple(ChainTip(AccountId(digest), 2**53, b"\xff" * 8) for digest in digests(256))
    summary = Summary(0, (2**31 - 1,) * 64, chains, answer=True)
    raw = encode(summary)
    assert open_message(raw) == summary
    assert len(raw) < 16 * 1024


def test_a_message_above_the_networks_frame_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        open_message(encode(OperationBatch((bytes(MESSAGE_BYTES_MAX),))))
    assert caught.value.reason is Reason.TOO_LARGE


def test_an_offer_is_no_message_between_peers() -> None:
    with pytest.raises(Rejected) as caught:
        open_message(encode(make_offer()))
    assert caught.value.reason is Reason.MALFORMED


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
