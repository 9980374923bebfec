"""Whatever bytes arrive, a decoder answers with a value or a rejection, and with nothing else."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnode.arrival.wire import (
    Certificates,
    PageList,
    Standing,
    open_certificates,
    open_page_list,
    open_standing,
)
from protocol.encoding import encode
from protocol.errors import Rejected
from protocol.ledger.block import open_block, sign_block
from protocol.ledger.certificate_chain import CertificateChain
from protocol.ledger.certified import encode_certificate
from protocol.messages import network_of, open_operation
from protocol.parameters import minimal
from protocol.signing import REAL
from protocol.units import AccountId, Digest
from protocol.wire import BlockBatch, BlockRequest, ChainTip, OperationBatch, Summary, open_message
from tests.protocol.ledger.test_block import COMMITTEE, NETWORK, SEEDS, a_block
from tests.support.builders import make_genesis, make_offer, make_operation
from tests.support.certificates import Notary

BLOCK = sign_block(a_block(), SEEDS[a_block().author], REAL, b"").raw
GENESIS = make_genesis()
OPERATION = make_operation(GENESIS, 0, 0, make_offer()).raw
MESSAGES = [
    encode(OperationBatch((OPERATION,))),
    encode(BlockRequest(0, (Digest(bytes(32)),), (1, 2, 3, 4))),
    encode(BlockBatch((BLOCK,))),
    encode(Summary(0, (1, 2), (ChainTip(AccountId(bytes(32)), 3, bytes(8)),), answer=False)),
]
NOTARY = Notary(4)
CERTIFICATE = encode_certificate(NOTARY.end())
TOLD = [
    encode(Standing(0, 9, 2, (8, 9))),
    encode(Certificates((CERTIFICATE,))),
    encode(PageList((Digest(bytes(32)),))),
]
BOMBS = [
    b"\x91" * 100_000,  # arrays in arrays
    b"\xdd\xff\xff\xff\xff",  # an array that claims four thousand million entries
    b"\xc6\xff\xff\xff\xff",  # as many bytes
    b"\xdf\xff\xff\xff\xff",  # a map
    b"\xd9\x02\xff\xfe",  # a text that is not UTF-8
    b"\xc7\x01\x05\x00",  # an extension type
    b"",
]


def open_as_block(raw: bytes) -> object:
    return open_block(raw, COMMITTEE, NETWORK, minimal(), REAL)


def open_as_operation(raw: bytes) -> object:
    return open_operation(raw, network_of(GENESIS), REAL)


def open_as_certificate(raw: bytes) -> object:
    return CertificateChain(NOTARY.genesis, REAL).extend(raw)


ANSWERS = [open_standing, open_certificates, open_page_list, open_as_certificate]
"""What newcomers are told."""
DECODERS = [open_as_block, open_as_operation, open_message, *ANSWERS]


def answers(decoder: Callable[[bytes], object], raw: bytes) -> bool:
    """Whether the bytes were accepted; any exception but a rejection escapes."""
    try:
        decoder(raw)
    except Rejected:
        return False
    return True


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_rejected(decoder: Callable[[bytes], object], bomb: bytes) -> None:
    assert not answers(decoder, bomb)


@pytest.mark.parametrize("decoder", DECODERS)
@given(raw=st.binary(max_size=300))
def test_random_bytes_are_answered(decoder: Callable[[bytes], object], raw: bytes) -> None:
    answers(decoder, raw)


def test_every_changed_byte_of_real_messages_is_answered() -> None:
    stream = random.Random(7)  # noqa: S311  test data
    accepted = 0
    for raw in [BLOCK, OPERATION, CERTIFICATE, *MESSAGES, *TOLD]:
        for place in range(0, len(raw), max(1, len(raw) // 200)):
            changed = bytearray(raw)
            changed[place] ^= 1 << stream.getrandbits(3)
            accepted += sum(answers(decoder, bytes(changed)) for decoder in DECODERS)
            cut = raw[:place]
            accepted += sum(answers(decoder, cut) for decoder in DECODERS)
    # A changed digest or account inside a summary is still a summary; nothing signed survives.
    assert accepted > 0


def test_a_signed_message_survives_no_changed_bit() -> None:
    signed = (BLOCK, open_as_block), (OPERATION, open_as_operation)
    for raw, decoder in (*signed, (CERTIFICATE, open_as_certificate)):
        for place in range(len(raw)):
            changed = bytearray(raw)
            changed[place] ^= 1
            assert not answers(decoder, bytes(changed)), f"bit 0 of byte {place} does not matter"
