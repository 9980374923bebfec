"""Proof that a member signed two blocks for one round, really signed."""

from protocol.encoding import digest_of, encode
from protocol.ledger.block import content_of, genesis_reference
from protocol.ledger.committee import Committee
from protocol.messages import VERSION, Block, EquivocationEvidence
from protocol.signing import BLOCK, REAL
from tests.support.builders import account_id, account_seed


def contradict(committee: Committee, number: int, at_round: int = 4) -> EquivocationEvidence:
    """Signs two blocks for one round as the member with this number's account."""
    author = committee.index_of(account_id(number))
    assert author is not None
    own = genesis_reference(committee, author)
    sides = []
    for time_ms in (1, 2):
        block = Block(
            VERSION,
            committee.network,
            committee.epoch,
            at_round,
            author,
            own,
            (),
            (),
            content_of(()),
            None,
            b"",
            time_ms,
        )
        body = encode(block)
        sides += [body, REAL.sign(account_seed(number), BLOCK, digest_of(BLOCK, body))]
    return EquivocationEvidence(*sides)
