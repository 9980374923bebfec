from typing import get_args

import pytest

from protocol.encoding import encode
from protocol.errors import Reason, Rejected
from protocol.units import AccountId, Digest
from protocol.wire import (
    MESSAGE_BYTES_MAX,
    BlockBatch,
    BlockRequest,
    ChainTip,
    OperationBatch,
    PeerMessage,
    Summary,
    open_message,
)
from tests.support.builders import make_offer

KEY = AccountId(b"k" * 32)


def digests(count: int) -> tuple[Digest, ...]:
    return tuple(Digest(number.to_bytes(32, "big")) for number in range(count))


def test_each_message_has_its_own_number() -> None:
    numbers = [member.__struct_config__.tag for member in get_args(PeerMessage)]
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
