import hashlib
import tracemalloc
from time import process_time

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.encoding import content_digest, decode, digest_of, encode
from protocol.errors import Misuse, Reason, Rejected
from protocol.messages import Transfer
from protocol.units import AccountId
from protocol.wire import OperationBatch, PeerMessage, open_message

LIMIT = 1_000
TRANSFER = Transfer(AccountId(b"a" * 32), 5)


def refusal(raw: bytes, kind: type[object] = Transfer, limit_bytes: int = LIMIT) -> Reason:
    with pytest.raises(Rejected) as caught:
        decode(raw, kind, limit_bytes)
    return caught.value.reason


def test_a_message_packs_as_an_array_that_its_number_leads() -> None:
    assert encode(TRANSFER) == msgpack.packb([1, b"a" * 32, 5])
    assert decode(encode(TRANSFER), Transfer, LIMIT) == TRANSFER


def test_a_message_above_its_limit_is_refused_unread() -> None:
    raw = encode(TRANSFER)
    assert decode(raw, Transfer, len(raw)) == TRANSFER
    assert refusal(raw, Transfer, len(raw) - 1) is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xc1", id="a byte without meaning"),
        pytest.param(encode(TRANSFER)[:-1], id="a cut message"),
        pytest.param(encode(TRANSFER) + b"\x00", id="something after the end"),
        pytest.param(b"\x93\x01\xc4\x20", id="an announced string that is not there"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="a huge array that is not there"),
        pytest.param(b"\xc6\xff\xff\xff\xff", id="a huge string that is not there"),
        pytest.param(msgpack.packb({1: 2}), id="a map"),
        pytest.param(msgpack.packb(msgpack.ExtType(1, b"x")), id="an extension"),
        pytest.param(msgpack.packb(msgpack.Timestamp(1)), id="a timestamp"),
        pytest.param(b"\x91" * 999, id="deep nesting"),
        pytest.param(b"\xa1\xff", id="text that is none"),
        pytest.param(msgpack.packb([1, b"a" * 31, 5]), id="a short key"),
        pytest.param(msgpack.packb([1, b"a" * 32, 5.0]), id="a float"),
        pytest.param(msgpack.packb([1, b"a" * 32, True]), id="a truth value for a number"),
        pytest.param(msgpack.packb([1, "a" * 32, 5]), id="text for bytes"),
        pytest.param(msgpack.packb([1, b"a" * 32, 0]), id="a number out of range"),
        pytest.param(msgpack.packb([1, b"a" * 32, 2**63]), id="a number too large"),
        pytest.param(msgpack.packb([1, b"a" * 32]), id="a missing field"),
        pytest.param(msgpack.packb([1, b"a" * 32, 5, 6]), id="one field too many"),
        pytest.param(msgpack.packb([2, b"a" * 32, 5]), id="another message"),
    ],
)
def test_bytes_that_are_no_such_message_are_refused(raw: bytes) -> None:
    assert refusal(raw) is Reason.MALFORMED


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x93\x01\xc4\x20" + b"a" * 32 + b"\xcc\x05", id="a longer integer"),
        pytest.param(b"\xdc\x00\x03\x01\xc4\x20" + b"a" * 32 + b"\x05", id="a longer array"),
        pytest.param(b"\x93\x01\xc5\x00\x20" + b"a" * 32 + b"\x05", id="longer bytes"),
    ],
)
def test_another_encoding_of_a_message_is_refused(raw: bytes) -> None:
    assert refusal(raw) is Reason.NOT_CANONICAL


@given(st.binary(max_size=200))
def test_whatever_opens_is_the_encoding_of_what_it_opens_to(raw: bytes) -> None:
    try:
        message: PeerMessage = open_message(raw)
    except Rejected:
        return
    assert encode(message) == raw


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_every_message_opens_to_itself(raws: list[bytes]) -> None:
    batch = OperationBatch(tuple(raws))
    assert open_message(encode(batch)) == batch


def test_a_digest_binds_its_domain_and_the_lengths_of_its_parts() -> None:
    digests = [
        digest_of(b"one"),
        digest_of(b"one", b""),
        digest_of(b"one", b"ab"),
        digest_of(b"one", b"a", b"b"),
        digest_of(b"one", b"", b"ab"),
        digest_of(b"two", b"ab"),
    ]
    assert len(set(digests)) == len(digests)
    assert {len(digest) for digest in digests} == {32}


def test_a_digest_is_what_the_formats_promise() -> None:
    state = hashlib.blake2b(digest_size=32, person=b"tag")
    state.update((2).to_bytes(8, "big") + b"ab" + (0).to_bytes(8, "big"))
    assert digest_of(b"tag", b"ab", b"") == state.digest()


def test_a_domain_that_would_be_cut_is_misuse() -> None:
    assert len(digest_of(b"x" * 16)) == 32
    with pytest.raises(Misuse):
        digest_of(b"x" * 17)


def test_content_is_named_by_its_plain_digest() -> None:
    assert content_digest(b"output") == hashlib.blake2b(b"output", digest_size=32).digest()


FRAME_BYTES = 64 * 1024
BOMBS = {
    "nested arrays": b"\x91" * FRAME_BYTES,
    "nested maps": b"\x81\x01" * (FRAME_BYTES // 2),
    "a map of many keys": b"\xde\x7f\xff" + b"\x01\x01" * (FRAME_BYTES // 2 - 2),
    "an array of 2^32 - 1": b"\xdd\xff\xff\xff\xff" + bytes(FRAME_BYTES - 5),
    "a string of 2^32 - 1": b"\xc6\xff\xff\xff\xff" + bytes(FRAME_BYTES - 5),
    "many small arrays": b"\xdc\x7f\xff" + b"\x91\x01" * 0x7FFF,
    "a frame above the limit": b"\x93" + bytes(16 * FRAME_BYTES),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_less_than_a_mebibyte_and_is_refused_at_once(name: str) -> None:
    """RELIABILITY B12: oversize, nesting and map bombs of a whole control frame."""
    raw = BOMBS[name]
    spent = []
    tracemalloc.start()
    try:
        for _ in range(20):
            tracemalloc.reset_peak()
            before, begun = tracemalloc.get_traced_memory()[0], process_time()
            assert refusal(raw, Transfer, FRAME_BYTES) in (Reason.TOO_LARGE, Reason.MALFORMED)
            spent.append(process_time() - begun)
            assert tracemalloc.get_traced_memory()[1] - before <= 2**20
    finally:
        tracemalloc.stop()
    assert min(spent) <= 0.005, "a millisecond without the tracing of memory"
