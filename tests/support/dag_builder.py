"""Committees and unsigned blocks, woven into DAGs by hand: for the rules above signatures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from protocol.encoding import digest_of, encode
from protocol.ledger.block import VerifiedBlock, content_of, genesis_reference, reference_to
from protocol.ledger.committee import Committee, CommitteeMember
from protocol.ledger.ledger import Ledger
from protocol.ledger.ordering import Commit
from protocol.messages import VERSION, Block, Reference
from protocol.parameters import Parameters, minimal
from protocol.signing import BLOCK
from protocol.units import AccountId, Digest, Epoch, MemberIndex, Round, Weight

NETWORK = Digest(b"\x01" * 32)
BEACON = Digest(b"\x02" * 32)
OUTPUT = b"\x03" * 64


def make_committee(
    weights: Sequence[int] = (1, 1, 1, 1),
    *,
    churn_profile: bool = False,
    beacon: Digest = BEACON,
) -> Committee:
    """A committee of numbered accounts, in the order of the weights."""
    members = [
        CommitteeMember(AccountId((i + 1).to_bytes(32, "big")), bytes([i + 1]) * 32, Weight(weight))
        for i, weight in enumerate(weights)
    ]
    return Committee(NETWORK, Epoch(0), members, beacon, churn_profile=churn_profile)


def make_ledger(committee: Committee, parameters: Parameters | None = None) -> Ledger:
    return Ledger(committee, parameters or minimal())


@dataclass(frozen=True, slots=True)
class Links:
    """What a block refers to."""

    own: Reference
    parents: tuple[Reference, ...]
    weak: tuple[Reference, ...] = ()


def plain_block(
    committee: Committee,
    author: int,
    block_round: int,
    links: Links,
    time_ms: int | None = None,
) -> VerifiedBlock:
    """A block nobody signed; its time tells variants apart."""
    leads = committee.leader(Round(block_round)) == author
    block = Block(
        version=VERSION,
        network=NETWORK,
        epoch=committee.epoch,
        round=block_round,
        author=author,
        own=links.own,
        parents=links.parents,
        weak=links.weak,
        content=content_of(()),
        checkpoint=None,
        proof=b"",
        time_ms=block_round * 1_000 if time_ms is None else time_ms,
    )
    digest = digest_of(BLOCK, encode(block))
    return VerifiedBlock(block, digest, b"", OUTPUT if leads else b"")


@dataclass(slots=True)
class Loom:
    """Weaves blocks and remembers each author's latest."""

    committee: Committee
    latest: dict[int, VerifiedBlock] = field(default_factory=dict)
    blocks: list[VerifiedBlock] = field(default_factory=list)

    def weave(
        self,
        author: int,
        block_round: int,
        parents: Iterable[VerifiedBlock] = (),
        weak: Iterable[VerifiedBlock] = (),
        *,
        own: VerifiedBlock | None = None,
        time_ms: int | None = None,
        strict: bool = True,
    ) -> VerifiedBlock:
        """Adds a block on the author's latest, or on the one given.

        Unless it is not to be strict, parents of the same author are left out.
        """
        previous = own or self.latest.get(author)
        member = MemberIndex(author)
        mine = reference_to(previous) if previous else genesis_reference(self.committee, member)
        if block_round == 1:
            members = range(len(self.committee))
            others = [genesis_reference(self.committee, MemberIndex(i)) for i in members]
        else:
            others = [reference_to(parent) for parent in parents]
        links = Links(
            mine,
            tuple(
                sorted(
                    reference for reference in others if not strict or reference.author != author
                )
            ),
            tuple(sorted(reference_to(older) for older in weak)),
        )
        block = plain_block(self.committee, author, block_round, links, time_ms)
        self.latest[author] = block
        self.blocks.append(block)
        return block

    def row(
        self, block_round: int, parents: Iterable[VerifiedBlock], authors: Iterable[int]
    ) -> list[VerifiedBlock]:
        """Adds a block of each author, all on the same parents."""
        shared = list(parents)
        return [self.weave(author, block_round, shared) for author in authors]


def lockstep(
    committee: Committee, rounds: int, authors: Iterable[int] | None = None
) -> list[list[VerifiedBlock]]:
    """Rows of blocks in which everybody refers to everything of the round before."""
    loom = Loom(committee)
    chosen = list(range(len(committee)) if authors is None else authors)
    rows: list[list[VerifiedBlock]] = [[]]
    for block_round in range(1, rounds + 1):
        rows.append(loom.row(block_round, rows[-1], chosen))
    return rows[1:]


def commits_of(ledger: Ledger, blocks: Iterable[VerifiedBlock]) -> list[Commit]:
    """Everything that becomes final while the blocks come in."""
    return [commit for block in blocks for commit in ledger.accept(block).commits]
