"""Every rule of validity, each broken alone."""

import pytest
from msgspec.structs import replace

from protocol.encoding import encode
from protocol.errors import Misuse, Reason, Rejected
from protocol.ledger.block import (
    VerifiedBlock,
    checkpoint_digest,
    content_of,
    genesis_reference,
    leader_message,
    open_block,
    reference_to,
    reopen_block,
    sign_block,
)
from protocol.ledger.committee import Committee, CommitteeMember
from protocol.messages import VERSION, Block, Checkpoint, Reference, SignedBlock
from protocol.parameters import minimal
from protocol.signing import CHECKPOINT, REAL
from protocol.units import CommitIndex, Digest, Epoch, MemberIndex, Round, Weight
from tests.support.dag_builder import BEACON, NETWORK

SEEDS = sorted((bytes([i + 1]) * 32 for i in range(4)), key=REAL.account_of)
VRF_SEEDS = [bytes([i + 101]) * 32 for i in range(4)]
COMMITTEE = Committee(
    NETWORK,
    Epoch(0),
    [
        CommitteeMember(REAL.account_of(seed), REAL.vrf_key_of(vrf_seed), Weight(1))
        for seed, vrf_seed in zip(SEEDS, VRF_SEEDS, strict=True)
    ],
    BEACON,
    churn_profile=False,
)
LEADER = COMMITTEE.leader(Round(2))
FOLLOWER = MemberIndex((LEADER + 1) % 4)
OTHERS = [MemberIndex(index) for index in range(4) if index != FOLLOWER]
SOME_DIGEST = Digest(b"\x07" * 32)


def a_reference(author, block_round=1):
    return Reference(author, block_round, SOME_DIGEST)


def a_block(**changes) -> Block:
    """A valid block of round 2 by a member that does not lead it."""
    block = Block(
        version=VERSION,
        network=NETWORK,
        epoch=Epoch(0),
        round=2,
        author=FOLLOWER,
        own=a_reference(FOLLOWER),
        parents=tuple(a_reference(author) for author in OTHERS[:2]),
        weak=(),
        content=content_of(()),
        checkpoint=None,
        proof=b"",
        time_ms=5,
    )
    return replace(block, **changes)


def signed(block: Block, signer: int | None = None) -> VerifiedBlock:
    output = b"\x01" * 64 if block.proof else b""
    seed = SEEDS[block.author if signer is None else signer]
    return sign_block(block, seed, REAL, output)


def opened(raw: bytes, **limits) -> VerifiedBlock:
    return open_block(raw, COMMITTEE, NETWORK, replace(minimal(), **limits), REAL)


def led(**changes) -> Block:
    """A valid block of the leader of round 2."""
    message = leader_message(NETWORK, Epoch(0), Round(2), BEACON)
    others = [index for index in range(4) if index != LEADER]
    block = a_block(
        author=LEADER,
        own=a_reference(LEADER),
        parents=tuple(a_reference(author) for author in others),
        proof=REAL.prove(VRF_SEEDS[LEADER], message),
    )
    return replace(block, **changes)


def a_checkpoint(signer=FOLLOWER, index=8):
    claim = checkpoint_digest(NETWORK, Epoch(0), CommitIndex(8), SOME_DIGEST, SOME_DIGEST)
    signature = REAL.sign(SEEDS[signer], CHECKPOINT, claim)
    return Checkpoint(index, SOME_DIGEST, SOME_DIGEST, signature)


def test_a_valid_block_opens_as_it_was_signed():
    verified = signed(a_block())
    assert opened(verified.raw) == verified


def test_a_leaders_block_opens_with_its_random_value_and_so_it_does_from_the_store():
    raw = signed(led()).raw
    verified = opened(raw)
    assert len(verified.output) == 64
    assert reopen_block(raw, COMMITTEE, REAL) == verified


def test_a_stored_block_opens_without_a_look_at_its_signature():
    block = a_block()
    raw = encode(SignedBlock(encode(block), (), bytes(64)))
    with pytest.raises(Rejected):
        opened(raw)
    assert reopen_block(raw, COMMITTEE, REAL).block == block


def test_a_block_of_the_first_round_stands_on_genesis():
    author = next(index for index in range(4) if COMMITTEE.leader(Round(1)) != index)
    genesis = [genesis_reference(COMMITTEE, MemberIndex(index)) for index in range(4)]
    own = genesis.pop(author)
    block = a_block(round=1, author=author, own=own, parents=tuple(genesis))
    assert opened(signed(block).raw).block == block
    with pytest.raises(Rejected) as refusal:
        opened(signed(replace(block, own=a_reference(author, 0))).raw)
    assert refusal.value.reason is Reason.BAD_REFERENCE


def test_a_valid_checkpoint_vote_is_accepted():
    block = a_block(checkpoint=a_checkpoint())
    assert opened(signed(block).raw).block == block


def test_a_late_author_may_continue_an_old_block():
    author = OTHERS[0]
    parents = tuple(a_reference(index, 4) for index in range(4) if index != author)
    block = a_block(author=author, round=5, own=a_reference(author, 1), parents=parents)
    if COMMITTEE.leader(Round(5)) == author:
        message = leader_message(NETWORK, Epoch(0), Round(5), BEACON)
        block = replace(block, proof=REAL.prove(VRF_SEEDS[author], message))
    assert opened(signed(block).raw).block == block


A, B, C = OTHERS
BROKEN = [
    (a_block(version=9), Reason.WRONG_VERSION),
    (a_block(network=b"\x00" * 32), Reason.WRONG_NETWORK),
    (a_block(epoch=1), Reason.COMING_EPOCH),
    (a_block(epoch=2), Reason.WRONG_EPOCH),
    (a_block(own=a_reference(A)), Reason.BAD_OWN_REFERENCE),
    (a_block(own=a_reference(FOLLOWER, 2)), Reason.BAD_OWN_REFERENCE),
    (a_block(parents=(a_reference(A), a_reference(B, 2))), Reason.BAD_REFERENCE),
    (a_block(parents=(a_reference(A), a_reference(B, 0))), Reason.BAD_REFERENCE),
    (a_block(weak=(a_reference(C, 1),)), Reason.BAD_REFERENCE),
    (a_block(weak=(a_reference(C, 0),)), Reason.BAD_REFERENCE),
    (a_block(parents=(a_reference(A), a_reference(B), a_reference(60))), Reason.BAD_REFERENCE),
    (a_block(parents=(a_reference(B), a_reference(A))), Reason.NOT_CANONICAL),
    (a_block(parents=(a_reference(A), a_reference(A))), Reason.DUPLICATE_REFERENCE),
    (
        a_block(weak=(genesis_reference(COMMITTEE, A),)),
        Reason.DUPLICATE_REFERENCE,
    ),
    (
        a_block(parents=tuple(sorted((a_reference(FOLLOWER), a_reference(A), a_reference(B))))),
        Reason.DUPLICATE_REFERENCE,
    ),
    (a_block(parents=(a_reference(A),)), Reason.NO_PARENT_QUORUM),
    (
        a_block(own=genesis_reference(COMMITTEE, FOLLOWER)),
        Reason.NO_PARENT_QUORUM,
    ),
    (a_block(proof=bytes(80)), Reason.BAD_LEADER_PROOF),
    (led(proof=b""), Reason.BAD_LEADER_PROOF),
    (led(proof=bytes(80)), Reason.BAD_LEADER_PROOF),
    (a_block(checkpoint=a_checkpoint(signer=A)), Reason.BAD_CHECKPOINT),
    (a_block(checkpoint=a_checkpoint(index=9)), Reason.BAD_CHECKPOINT),
]


@pytest.mark.parametrize(("block", "reason"), BROKEN)
def test_a_block_that_breaks_a_rule_is_rejected_for_it(block, reason):
    with pytest.raises(Rejected) as refusal:
        opened(signed(block).raw)
    assert refusal.value.reason is reason


def test_a_stranger_is_rejected():
    block = a_block(author=7, own=a_reference(7))
    with pytest.raises(Rejected) as refusal:
        opened(signed(block, signer=0).raw)
    assert refusal.value.reason is Reason.UNKNOWN_AUTHOR


def test_a_signature_of_another_member_is_rejected():
    with pytest.raises(Rejected) as refusal:
        opened(signed(a_block(), signer=A).raw)
    assert refusal.value.reason is Reason.BAD_SIGNATURE


def test_round_zero_is_no_block():
    raw = encode(SignedBlock(encode(a_block(round=0)), (), bytes(64)))
    with pytest.raises(Rejected) as refusal:
        opened(raw)
    assert refusal.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("limits", [{"block_bytes_max": 50}, {"block_operations_max": 0}])
def test_a_block_beyond_the_networks_limits_is_rejected(limits):
    operations = (b"anything",)
    block = a_block(content=content_of(operations))
    raw = sign_block(block, SEEDS[FOLLOWER], REAL, b"", operations).raw
    with pytest.raises(Rejected) as refusal:
        opened(raw, **limits)
    assert refusal.value.reason is Reason.TOO_LARGE


def test_operations_that_the_block_does_not_name_are_rejected():
    raw = encode(SignedBlock(encode(a_block()), (b"anything",), bytes(64)))
    with pytest.raises(Rejected) as refusal:
        opened(raw)
    assert refusal.value.reason is Reason.BAD_CONTENT


def test_signing_again_gives_the_same_digest():
    verified = signed(a_block())
    other = encode(SignedBlock(encode(a_block()), (), bytes(64)))
    assert reopen_block(other, COMMITTEE, REAL).digest == verified.digest


def test_a_proof_without_its_output_is_a_misuse():
    with pytest.raises(Misuse):
        sign_block(led(), SEEDS[LEADER], REAL, b"")


def test_a_reference_names_author_round_and_digest():
    verified = signed(a_block())
    assert reference_to(verified) == Reference(FOLLOWER, 2, verified.digest)
