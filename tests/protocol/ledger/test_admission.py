from dataclasses import replace as with_changes

import pytest
from msgspec.structs import replace

from protocol.encoding import decode, encode
from protocol.errors import Reason, Rejected
from protocol.ledger import admission as module
from protocol.ledger.admission import Admission
from protocol.ledger.block import VerifiedBlock, content_of, genesis_reference, sign_block
from protocol.ledger.committee import Committee
from protocol.messages import (
    VERSION,
    Block,
    EquivocationEvidence,
    Payload,
    SignedBlock,
    SignedOperation,
    Transfer,
    VerifiedOperation,
    network_of,
)
from protocol.parameters import minimal
from protocol.signing import Scheme
from protocol.simulator.scheme import FAKE
from protocol.units import AccountId, Digest, MemberIndex, Round, Signature
from protocol.wire import BlockRequest, OperationBatch
from tests.support.core_group import account, fake_genesis, identity
from tests.support.operations import fake_operation

GENESIS = fake_genesis()
NETWORK = network_of(GENESIS)
COMMITTEE = Committee.of_genesis(GENESIS)
FORGED = Signature(bytes(64))
PAY = Transfer(account(3), 1)


class Counting:
    """A scheme that counts the signatures that it checks."""

    def __init__(self) -> None:
        self.checked = 0
        self.scheme: Scheme = with_changes(FAKE, verify=self.verify)

    def verify(self, key: AccountId, tag: bytes, digest: Digest, signature: Signature) -> None:
        self.checked += 1
        FAKE.verify(key, tag, digest, signature)


def make_admission(scheme: Scheme = FAKE, operation_bytes_max: int = 8 * 1024) -> Admission:
    limits = replace(minimal(), operation_bytes_max=operation_bytes_max)
    return Admission(COMMITTEE, NETWORK, limits, scheme)


def make_block() -> VerifiedBlock:
    """A first block of somebody who does not lead the round."""
    author = next(n for n in range(4) if COMMITTEE.leader(Round(1)) != n)
    seeds = {account(n): identity(n).seed for n in range(4)}
    genesis = [genesis_reference(COMMITTEE, MemberIndex(n)) for n in range(4)]
    block = Block(
        version=VERSION,
        network=NETWORK,
        epoch=0,
        round=1,
        author=author,
        own=genesis[author],
        parents=tuple(reference for reference in genesis if reference.author != author),
        weak=(),
        content=content_of(()),
        checkpoint=None,
        proof=b"",
        time_ms=0,
    )
    return sign_block(block, seeds[COMMITTEE.members[author].account], FAKE, b"")


def pay(payload: Payload = PAY, nonce: int = 0) -> VerifiedOperation:
    return fake_operation(GENESIS, 0, nonce, payload)


def test_a_block_is_verified_once() -> None:
    counting, block = Counting(), make_block()
    admission = make_admission(counting.scheme)
    assert admission.block(block.raw) == block
    assert admission.block(block.raw) is admission.block(block.raw)
    assert counting.checked == 1


def test_a_stored_block_is_not_verified_again() -> None:
    counting, block = Counting(), make_block()
    assert make_admission(counting.scheme).stored_block(block.raw) == block
    assert counting.checked == 0


def test_a_forged_block_does_not_keep_the_right_one_out() -> None:
    admission, block = make_admission(), make_block()
    forged = encode(replace(decode(block.raw, SignedBlock, 10**6), signature=FORGED))
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            admission.block(forged)
        assert caught.value.reason is Reason.BAD_SIGNATURE
    assert admission.block(block.raw) == block


def test_an_operation_is_verified_once() -> None:
    counting, one = Counting(), pay()
    admission = make_admission(counting.scheme)
    assert admission.operation(one.raw) == one
    assert admission.operation(one.raw) is admission.operation(one.raw)
    assert counting.checked == 1


def test_an_own_operation_is_not_verified_at_all() -> None:
    counting, one = Counting(), pay()
    admission = make_admission(counting.scheme)
    admission.keep(one)
    assert admission.operation(one.raw) is one
    assert counting.checked == 0


def test_a_forged_operation_is_refused_each_time() -> None:
    admission, one = make_admission(), pay()
    forged = encode(replace(decode(one.raw, SignedOperation, 10**6), signature=FORGED))
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            admission.operation(forged)
        assert caught.value.reason is Reason.BAD_SIGNATURE


def test_only_evidence_may_be_larger_than_the_network_allows() -> None:
    admission = make_admission(operation_bytes_max=100)
    evidence = EquivocationEvidence(bytes(300), FORGED, bytes(300), FORGED)
    assert admission.operation(pay(evidence).raw) == pay(evidence)
    with pytest.raises(Rejected) as caught:
        admission.operation(pay().raw)
    assert caught.value.reason is Reason.TOO_LARGE


def test_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPERATIONS_KEPT", 2)
    counting = Counting()
    admission = make_admission(counting.scheme)
    for nonce in (0, 1, 2, 2, 1, 0):
        admission.operation(pay(nonce=nonce).raw)
    assert counting.checked == 4


def test_a_block_behind_the_horizon_is_refused_before_its_signature_is_checked() -> None:
    counting = Counting()
    admission, block = make_admission(counting.scheme), make_block()
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            admission.block(block.raw, horizon=Round(1))
        assert caught.value.reason is Reason.BEHIND_HORIZON
        checked = counting.checked
        assert admission.block(block.raw, horizon=Round(0)) == block
    assert checked == counting.checked == 1, "once opened, it is refused and known all the same"


def test_a_batch_of_operations_is_decoded_once_and_other_messages_are_not_kept() -> None:
    admission, copy = make_admission(), make_admission()
    copy.share(admission)
    batch, request = OperationBatch((b"one", b"two")), BlockRequest(0, (), ())
    opened = admission.message(encode(batch))
    assert opened == batch
    assert copy.message(encode(batch)) is opened
    assert make_admission().message(encode(batch)) is not opened
    assert admission.message(encode(request)) == request
    assert admission.message(encode(request)) is not admission.message(encode(request))
    with pytest.raises(Rejected):
        admission.message(b"neither")
