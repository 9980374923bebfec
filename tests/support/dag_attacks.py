"""An attack built by hand: a leader whose history was kept blind of a committed slot.

Slot 1 is committed by three certificates. The Byzantine member leads slot 4 and gives its block a
history without any of them; honest members extend that block, and whoever lacks one certificate
decides slot 1 by it. Only the quorum of distinct parents makes such a block impossible.
"""

from dataclasses import dataclass

from protocol.encoding import encode
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.committee import Committee
from protocol.messages import SignedBlock
from protocol.signing import REAL, Scheme
from protocol.units import Digest, Round, Signature
from tests.support.dag_builder import OUTPUT, Loom, make_committee

TRUSTING = Scheme(
    account_of=REAL.account_of,
    sign=REAL.sign,
    verify=lambda *_: None,
    vrf_key_of=REAL.vrf_key_of,
    prove=REAL.prove,
    verify_proof=lambda *_: OUTPUT,
    read_proof=lambda *_: OUTPUT,
)
"""Takes every signature and proof, so that only a block's references are judged."""


def unsigned_bytes(verified: VerifiedBlock) -> bytes:
    """A block's bytes under an empty signature."""
    return encode(SignedBlock(encode(verified.block), (), Signature(bytes(64))))


@dataclass(frozen=True, slots=True)
class Attack:
    """Two views that commit different leaders first, and the blocks that validity must refuse."""

    committee: Committee
    certified: tuple[VerifiedBlock, ...]
    blind: tuple[VerifiedBlock, ...]
    invalid: tuple[VerifiedBlock, ...]


def blind_anchor(*, padded: bool) -> Attack:
    """Builds the attack; padded, the quorum is feigned by several references to one author."""
    committee = _committee_led_by_two()
    leader, traitor = committee.leader(Round(1)), committee.leader(Round(4))
    honest = [index for index in range(4) if index != traitor]
    one, two, absent = honest
    loom = Loom(committee)
    first = loom.row(1, (), range(4))
    unled = [block for block in first if block.block.author != leader]
    copies = range(3 if padded else 1)
    blames = [loom.weave(traitor, 2, unled, own=first[traitor], time_ms=i) for i in copies]
    votes = loom.row(2, first, honest)
    certificates = loom.row(3, votes, honest)
    blinds = [_blind_block(loom, traitor, 3, blames, time_ms) for time_ms in copies]
    anchor = _blind_block(loom, traitor, 4, blinds, 0)
    known = [block for block in certificates if block.block.author != absent]
    rows = [[anchor, *loom.row(4, [*known, blinds[0]], (one, two))]]
    for number in range(5, 13):
        rows.append(loom.row(number, rows[-1], (traitor, one, two)))
    above = [block for row in rows for block in row]
    return Attack(
        committee,
        (*first, *votes, *certificates),
        (*first, *blames, *votes, *known, *blinds, *above),
        (*blinds, anchor),
    )


def _blind_block(
    loom: Loom, traitor: int, block_round: int, below: list[VerifiedBlock], time_ms: int
) -> VerifiedBlock:
    """Continues the traitor's first block, and refers to its further ones as to parents."""
    return loom.weave(traitor, block_round, below[1:], own=below[0], time_ms=time_ms, strict=False)


def _committee_led_by_two() -> Committee:
    """Draws beacons until slots 1 and 4 have different leaders."""
    for number in range(100):
        committee = make_committee(beacon=Digest(bytes([number]) * 32))
        if committee.leader(Round(1)) != committee.leader(Round(4)):
            return committee
    raise AssertionError("a hundred beacons drew one leader twice")
