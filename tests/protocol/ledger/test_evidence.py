"""What proves an equivocation, and what does not."""

import pytest
from msgspec.structs import replace

from protocol.encoding import encode
from protocol.errors import Misuse, Reason, Rejected
from protocol.ledger.block import sign_block
from protocol.ledger.evidence import check_evidence, make_evidence
from protocol.messages import EquivocationEvidence
from protocol.signing import REAL
from tests.protocol.ledger.test_block import COMMITTEE, FOLLOWER, NETWORK, OTHERS, SEEDS, a_block

FIRST = sign_block(a_block(), SEEDS[FOLLOWER], REAL, b"")
SECOND = sign_block(a_block(time_ms=6), SEEDS[FOLLOWER], REAL, b"")


def reason_for(evidence):
    with pytest.raises(Rejected) as refusal:
        check_evidence(evidence, COMMITTEE, NETWORK, REAL)
    return refusal.value.reason


def evidence_of(block, signer=FOLLOWER):
    """Evidence of the first block against another."""
    other = sign_block(block, SEEDS[signer], REAL, b"")
    mine = make_evidence(FIRST, SECOND)
    body, signature = encode(block), other.raw[-64:]
    if mine.first == encode(FIRST.block):
        return replace(mine, second=body, second_signature=signature)
    return replace(mine, first=body, first_signature=signature)


def test_two_blocks_of_one_round_convict_their_author():
    evidence = make_evidence(FIRST, SECOND)
    assert check_evidence(evidence, COMMITTEE, NETWORK, REAL) == (FOLLOWER, 2)


def test_everybody_makes_the_same_evidence():
    assert make_evidence(FIRST, SECOND) == make_evidence(SECOND, FIRST)


def test_one_block_twice_proves_nothing():
    evidence = make_evidence(FIRST, SECOND)
    twice = EquivocationEvidence(
        evidence.first, evidence.first_signature, evidence.first, evidence.first_signature
    )
    assert reason_for(twice) is Reason.BAD_EVIDENCE
    with pytest.raises(Misuse):
        make_evidence(FIRST, FIRST)


@pytest.mark.parametrize(
    "block",
    [
        a_block(round=3),
        a_block(epoch=1),
        a_block(network=b"\x00" * 32),
        a_block(author=OTHERS[0]),
        a_block(author=40),
    ],
)
def test_blocks_that_do_not_contradict_prove_nothing(block):
    signer = block.author if block.author < 4 else 0
    assert reason_for(evidence_of(block, signer)) is Reason.BAD_EVIDENCE


def test_two_blocks_of_another_network_prove_nothing_here():
    foreign = [
        sign_block(a_block(network=b"\x00" * 32, time_ms=time_ms), SEEDS[FOLLOWER], REAL, b"")
        for time_ms in (1, 2)
    ]
    assert reason_for(make_evidence(*foreign)) is Reason.BAD_EVIDENCE


def test_a_forged_signature_proves_nothing():
    evidence = make_evidence(FIRST, SECOND)
    forged = replace(evidence, second_signature=bytes(64))
    assert reason_for(forged) is Reason.BAD_EVIDENCE
    assert reason_for(replace(evidence, first=b"\x00")) is Reason.BAD_EVIDENCE
