"""Two blocks that one member signed for one round, as proof that convinces everybody."""

from protocol.encoding import decode, digest_of
from protocol.errors import Misuse, Reason, Rejected
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.committee import Committee
from protocol.messages import BLOCK_BODY_BYTES_MAX, Block, EquivocationEvidence, SignedBlock
from protocol.signing import BLOCK, Scheme
from protocol.units import Digest, MemberIndex, Round, Signature


def make_evidence(first: VerifiedBlock, second: VerifiedBlock) -> EquivocationEvidence:
    """Builds the proof from two blocks of one author and round.

    The block with the smaller digest comes first, so that all who saw both make the same proof.

    Raises:
        Misuse: The blocks do not contradict each other.
    """
    if _slot(first.block) != _slot(second.block) or first.digest == second.digest:
        raise Misuse("these blocks do not contradict each other")
    low, high = sorted((first, second), key=lambda verified: verified.digest)
    one = decode(low.raw, SignedBlock, len(low.raw))
    other = decode(high.raw, SignedBlock, len(high.raw))
    return EquivocationEvidence(one.body, one.signature, other.body, other.signature)


def epoch_of(evidence: EquivocationEvidence) -> int:
    """Tells which epoch's committee can judge evidence.

    Raises:
        Rejected: `BAD_EVIDENCE`.
    """
    try:
        return decode(evidence.first, Block, BLOCK_BODY_BYTES_MAX).epoch
    except Rejected as error:
        raise Rejected(Reason.BAD_EVIDENCE, str(error)) from None


def check_evidence(
    evidence: EquivocationEvidence, committee: Committee, network: Digest, scheme: Scheme
) -> tuple[MemberIndex, Round]:
    """Names who contradicted itself, and in which round.

    The blocks need not be valid otherwise: nobody honest signs two for one round.

    Raises:
        Rejected: `BAD_EVIDENCE`.
    """
    try:
        one, first = _open(evidence.first, evidence.first_signature, committee, scheme)
        other, second = _open(evidence.second, evidence.second_signature, committee, scheme)
    except Rejected as error:
        raise Rejected(Reason.BAD_EVIDENCE, str(error)) from None
    if first == second:
        raise Rejected(Reason.BAD_EVIDENCE, "it is one block twice")
    if _slot(one) != _slot(other):
        raise Rejected(Reason.BAD_EVIDENCE, "the blocks are not of one author and round")
    if one.network != network:
        raise Rejected(Reason.BAD_EVIDENCE, "the blocks belong to another network")
    return one.author, one.round


def _open(
    body: bytes, signature: Signature, committee: Committee, scheme: Scheme
) -> tuple[Block, Digest]:
    block = decode(body, Block, BLOCK_BODY_BYTES_MAX)
    if block.epoch != committee.epoch:
        raise Rejected(Reason.WRONG_EPOCH)
    if block.author >= len(committee):
        raise Rejected(Reason.UNKNOWN_AUTHOR)
    digest = digest_of(BLOCK, body)
    scheme.verify(committee.members[block.author].account, BLOCK, digest, signature)
    return block, digest


def _slot(block: Block) -> tuple[Digest, int, int, int]:
    return block.network, block.epoch, block.author, block.round
