"""What makes a block valid: a verdict that every node reaches alike, whatever else it has seen.

Nothing here looks at local state. Whether a reference's author and round are those of the block
that it names can only be told when that block is here: `protocol.ledger.dag` checks it.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from protocol.encoding import decode, decode_kept, decode_version, digest_of, encode
from protocol.errors import Misuse, Reason, Rejected
from protocol.ledger.beacon import INTEGER_BYTES
from protocol.ledger.committee import Committee
from protocol.messages import (
    BLOCK_BODY_BYTES_MAX,
    VERSION,
    Block,
    Checkpoint,
    Reference,
    SignedBlock,
)
from protocol.parameters import Parameters
from protocol.signing import BLOCK, CHECKPOINT, Scheme
from protocol.units import CommitIndex, Digest, Epoch, MemberIndex, Round

GENESIS_ROUND: Final = Round(0)
"""The round of the blocks that exist without being sent."""

ENVELOPE_BYTES: Final = 128
"""More than signature and framing add to a block."""


@dataclass(frozen=True, slots=True)
class VerifiedBlock:
    """A block whose form, signature and proof were checked.

    Made only by `open_block`, `reopen_block` and `sign_block`; never sent in this form.

    Attributes:
        block: Its content.
        digest: Digest of the body, without the signature: signing twice is not equivocation.
        raw: The signed bytes, as sent and stored.
        output: The leader's 64-byte random value; empty for everybody else.
        operations: The operations that it adds, which nobody has judged yet.
    """

    block: Block
    digest: Digest
    raw: bytes
    output: bytes
    operations: tuple[bytes, ...] = ()


def content_of(operations: tuple[bytes, ...]) -> Digest:
    """Names the operations that a block adds."""
    return digest_of(b"content", *operations)


def open_block(
    raw: bytes,
    committee: Committee,
    network: Digest,
    parameters: Parameters,
    scheme: Scheme,
    horizon: Round = GENESIS_ROUND,
) -> VerifiedBlock:
    """Checks a block from outside; operations inside are bytes and never make it invalid.

    The cheap rules come first, so that an invalid block costs its receiver little.

    Args:
        raw: The block's bytes.
        committee: Who may write blocks.
        network: The network's name.
        parameters: The network's limits.
        scheme: The cryptographic functions.
        horizon: Blocks of this round and below are refused; nobody needs them any more.

    Raises:
        Rejected: with the first rule that it breaks.
    """
    signed, block = _decode(raw, committee, network, parameters)
    if block.round <= horizon:
        raise Rejected(Reason.BEHIND_HORIZON, str(block.round))
    _check_references(block, committee)
    _check_parent_quorum(block, committee)
    digest = digest_of(BLOCK, signed.body)
    account = committee.members[block.author].account
    scheme.verify(account, BLOCK, digest, signed.signature)
    output = _leader_output(block, committee, scheme)
    _check_checkpoint(block, committee, network, scheme)
    return VerifiedBlock(block, digest, raw, output, signed.operations)


def reopen_block(raw: bytes, committee: Committee, scheme: Scheme) -> VerifiedBlock:
    """Reads a block that this node checked before it stored it; signatures are not checked again.

    Raises:
        Rejected: The bytes do not belong to this committee, or are damaged.
    """
    signed = decode_kept(raw, SignedBlock)
    block = decode_kept(signed.body, Block)
    if block.network != committee.network:
        raise Rejected(Reason.WRONG_NETWORK)
    check_epoch(block, committee)
    output = b""
    if block.proof:
        key = committee.members[block.author].vrf_key
        output = scheme.read_proof(key, _message_of(block, committee), block.proof)
    return VerifiedBlock(block, digest_of(BLOCK, signed.body), raw, output, signed.operations)


def stored_digest(raw: bytes) -> bytes:
    """Names a block by its stored bytes, body and operations; empty for bytes that are no block.

    It costs no signature: a store compares it with the name under which it kept the bytes.
    """
    try:
        signed = decode_kept(raw, SignedBlock)
        block = decode_kept(signed.body, Block)
    except Rejected:
        return b""
    is_whole = block.content == content_of(signed.operations)
    return digest_of(BLOCK, signed.body) if is_whole else b""


def sign_block(
    block: Block,
    seed: bytes,
    scheme: Scheme,
    vrf_output: bytes,
    operations: tuple[bytes, ...] = (),
) -> VerifiedBlock:
    """Signs a block of our own.

    Args:
        block: What to sign; must be valid, which is the proposer's concern.
        seed: The author's 32-byte signing seed.
        scheme: The cryptographic functions.
        vrf_output: What `block.proof` proves, or empty when this member does not lead the round.
        operations: What `block.content` names.
    """
    if block.content != content_of(operations):
        raise Misuse("these are not the operations that the block names")
    if bool(block.proof) != bool(vrf_output):
        raise Misuse("a proof and its output come together")
    body = encode(block)
    digest = digest_of(BLOCK, body)
    signature = scheme.sign(seed, BLOCK, digest)
    raw = encode(SignedBlock(body, operations, signature))
    return VerifiedBlock(block, digest, raw, vrf_output, operations)


def leader_message(network: Digest, epoch: Epoch, leader_round: Round, beacon: Digest) -> bytes:
    """Builds what the leader of a round proves its random value for.

    It binds only what is fixed before the epoch starts, so a leader has one output for its slot.

    Args:
        network: The network's name.
        epoch: The committee's epoch.
        leader_round: The round that is led.
        beacon: The epoch's first beacon, `Committee.beacon_at_start`.
    """
    return digest_of(
        b"vrf",
        network,
        epoch.to_bytes(INTEGER_BYTES, "big"),
        leader_round.to_bytes(INTEGER_BYTES, "big"),
        beacon,
    )


def checkpoint_digest(
    network: Digest, epoch: Epoch, index: CommitIndex, commit_digest: Digest, state_digest: Digest
) -> Digest:
    """Names the claim that a commit left a state; members sign it under the tag `CHECKPOINT`."""
    return digest_of(
        b"checkpoint",
        network,
        epoch.to_bytes(INTEGER_BYTES, "big"),
        index.to_bytes(INTEGER_BYTES, "big"),
        commit_digest,
        state_digest,
    )


def check_epoch(block: Block, committee: Committee) -> None:
    """Refuses a block that another committee's members wrote.

    Raises:
        Rejected: `PAST_EPOCH`, `COMING_EPOCH`, or `WRONG_EPOCH` for one further ahead.
    """
    if block.epoch < committee.epoch:
        raise Rejected(Reason.PAST_EPOCH, str(block.epoch))
    if block.epoch > committee.epoch:
        is_next = block.epoch == committee.epoch + 1
        reason = Reason.COMING_EPOCH if is_next else Reason.WRONG_EPOCH
        raise Rejected(reason, str(block.epoch))


def genesis_reference(committee: Committee, author: MemberIndex) -> Reference:
    """Refers to a member's block of round 0, which exists without being sent."""
    return Reference(author, GENESIS_ROUND, committee.genesis_digest(author))


def reference_to(verified: VerifiedBlock) -> Reference:
    """Refers to a block."""
    return Reference(verified.block.author, verified.block.round, verified.digest)


def _decode(
    raw: bytes, committee: Committee, network: Digest, parameters: Parameters
) -> tuple[SignedBlock, Block]:
    signed = decode(raw, SignedBlock, parameters.block_bytes_max + ENVELOPE_BYTES)
    block = decode_version(signed.body, Block, BLOCK_BODY_BYTES_MAX, VERSION)
    if block.network != network:
        raise Rejected(Reason.WRONG_NETWORK)
    check_epoch(block, committee)
    if block.author >= len(committee):
        raise Rejected(Reason.UNKNOWN_AUTHOR, str(block.author))
    if len(signed.operations) > parameters.block_operations_max:
        raise Rejected(Reason.TOO_LARGE, f"{len(signed.operations)} operations")
    if block.content != content_of(signed.operations):
        raise Rejected(Reason.BAD_CONTENT)
    return signed, block


def _check_references(block: Block, committee: Committee) -> None:
    """Refuses impossible references, and a second reference to any author.

    One reference per author is what makes a vote unambiguous.
    """
    if block.own.author != block.author or block.own.round >= block.round:
        raise Rejected(Reason.BAD_OWN_REFERENCE)
    previous = block.round - 1
    if any(parent.round != previous for parent in block.parents):
        raise Rejected(Reason.BAD_REFERENCE, "a parent is not of the previous round")
    if any(older.round >= previous for older in block.weak):
        raise Rejected(Reason.BAD_REFERENCE, "a weak reference is not older than the parents")
    _check_ascending(block.parents)
    _check_ascending(block.weak)
    references = (block.own, *block.parents, *block.weak)
    if len({reference.author for reference in references}) != len(references):
        raise Rejected(Reason.DUPLICATE_REFERENCE)
    for reference in references:
        if reference.author >= len(committee):
            raise Rejected(Reason.BAD_REFERENCE, "the author is not a member")
        if reference.round == 0 and reference.digest != committee.genesis_digests[reference.author]:
            raise Rejected(Reason.BAD_REFERENCE, "not the genesis block of this epoch")


def _check_ascending(references: tuple[Reference, ...]) -> None:
    for first, second in pairwise(references):
        if first.author == second.author:
            raise Rejected(Reason.DUPLICATE_REFERENCE, str(first.author))
        if first.author > second.author:
            raise Rejected(Reason.NOT_CANONICAL, "references are not in the order of authors")


def _check_parent_quorum(block: Block, committee: Committee) -> None:
    """Refuses a block that has not seen a quorum of the previous round.

    Any two blocks of later rounds thereby share an honest parent: the commit rule rests on it.
    """
    weights = committee.weights
    weight: int = sum(weights[parent.author] for parent in block.parents)
    if block.own.round == block.round - 1:
        weight += weights[block.author]
    if weight < committee.quorum:
        raise Rejected(Reason.NO_PARENT_QUORUM, f"{weight} of {committee.quorum}")


def _leader_output(block: Block, committee: Committee, scheme: Scheme) -> bytes:
    if committee.leader(block.round) != block.author:
        if block.proof:
            raise Rejected(Reason.BAD_LEADER_PROOF, "the author does not lead this round")
        return b""
    message = _message_of(block, committee)
    try:
        return scheme.verify_proof(committee.members[block.author].vrf_key, message, block.proof)
    except Rejected as error:
        raise Rejected(Reason.BAD_LEADER_PROOF, str(error)) from None


def _message_of(block: Block, committee: Committee) -> bytes:
    return leader_message(
        committee.network, committee.epoch, block.round, committee.beacon_at_start
    )


def _check_checkpoint(block: Block, committee: Committee, network: Digest, scheme: Scheme) -> None:
    vote: Checkpoint | None = block.checkpoint
    if vote is None:
        return
    claim = checkpoint_digest(
        network, committee.epoch, CommitIndex(vote.index), vote.commit_digest, vote.state_digest
    )
    try:
        scheme.verify(committee.members[block.author].account, CHECKPOINT, claim, vote.signature)
    except Rejected as error:
        raise Rejected(Reason.BAD_CHECKPOINT, str(error)) from None
