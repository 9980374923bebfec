"""Who votes in one epoch: members in the order of their keys, weights, quorum and leaders."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from protocol.encoding import digest_of, encode
from protocol.errors import Misuse
from protocol.ledger.beacon import INTEGER_BYTES, leader_ticket
from protocol.messages import Genesis, network_of
from protocol.units import CREDIT, AccountId, Digest, Epoch, MemberIndex, Round, Weight

MEMBERS_MAX: Final = 64
"""Hard limit of a committee: references per block and rounds per byte grow with it."""
LEADERS_CACHED: Final = 4096
"""Rounds whose leader is kept; anybody may ask for any round, so the cache is bounded."""


@dataclass(frozen=True, slots=True)
class CommitteeMember:
    """One voter of an epoch.

    Attributes:
        account: Key that signs its blocks.
        vrf_key: Key that proves its random values.
        weight: Whole credits staked, at least 1.
    """

    account: AccountId
    vrf_key: bytes
    weight: Weight


class Committee:
    """The voters of one epoch; never changes once made.

    Safety holds while the weight of Byzantine members is at most `2 * quorum - total - 1`, and
    commits continue while a quorum is honest and connected.

    Attributes:
        network: The network that the committee serves.
        epoch: Its period.
        members: In ascending order of account; a member's index is its position.
        weights: Weight by index.
        total: Sum of all weights.
        quorum: Weight that makes votes, certificates and parents count.
        origin: Digest of how the epoch before ended; empty in the first.
        beacon_at_start: Random value from which all leaders of the epoch are drawn.
        genesis_digests: Digest of each member's block of round 0, which nobody sends; it binds how
            the epoch before ended.
    """

    __slots__ = (
        "_cumulative",
        "_indices",
        "_leaders",
        "beacon_at_start",
        "epoch",
        "genesis_digests",
        "members",
        "network",
        "origin",
        "quorum",
        "total",
        "weights",
    )

    def __init__(
        self,
        network: Digest,
        epoch: Epoch,
        members: Iterable[CommitteeMember],
        beacon_at_start: Digest,
        *,
        churn_profile: bool,
        origin: bytes = b"",
    ) -> None:
        self.network = network
        self.epoch = epoch
        self.origin = origin
        self.members = tuple(sorted(members, key=lambda member: member.account))
        self.beacon_at_start = beacon_at_start
        _check_members(self.members)
        self.weights = tuple(member.weight for member in self.members)
        self.total = Weight(sum(self.weights))
        self.quorum = quorum_of(self.total, churn_profile=churn_profile)
        self.genesis_digests = tuple(
            _genesis_digest(network, epoch, MemberIndex(index), origin)
            for index in range(len(self.members))
        )
        self._indices = {
            member.account: MemberIndex(index) for index, member in enumerate(self.members)
        }
        self._cumulative = tuple(accumulate(self.weights))
        self._leaders: dict[Round, MemberIndex] = {}

    @classmethod
    def of_genesis(cls, genesis: Genesis) -> "Committee":
        """Makes the committee of epoch 0."""
        members = (
            CommitteeMember(
                validator.account, validator.vrf_key, Weight(max(1, validator.stake // CREDIT))
            )
            for validator in genesis.validators
        )
        return cls(
            network_of(genesis),
            Epoch(0),
            members,
            Digest(genesis.seed),
            churn_profile=genesis.parameters.churn_profile,
        )

    def __len__(self) -> int:
        return len(self.members)

    def index_of(self, account: AccountId) -> MemberIndex | None:
        """Returns a member's index, or None for an account outside the committee."""
        return self._indices.get(account)

    def weight(self, index: MemberIndex) -> Weight:
        """Returns one member's weight."""
        return self.weights[index]

    def weight_of(self, members: int | Iterable[MemberIndex]) -> Weight:
        """Sums weights, each member once.

        Args:
            members: A bit mask of indices, or the indices themselves.
        """
        if isinstance(members, int):
            chosen = [weight for i, weight in enumerate(self.weights) if members >> i & 1]
            return Weight(sum(chosen))
        return Weight(sum(self.weights[index] for index in frozenset(members)))

    def leader(self, leader_round: Round) -> MemberIndex:
        """Names the leader of a round: a draw by weight that all nodes make alike."""
        known = self._leaders.get(leader_round)
        if known is not None:
            return known
        ticket = leader_ticket(self.beacon_at_start, leader_round, self.total)
        leader = MemberIndex(bisect_right(self._cumulative, ticket))
        if len(self._leaders) >= LEADERS_CACHED:
            self._leaders.clear()
        self._leaders[leader_round] = leader
        return leader

    def genesis_digest(self, author: MemberIndex) -> Digest:
        """Returns the digest of a member's block of round 0."""
        return self.genesis_digests[author]


def members_digest(members: Iterable[CommitteeMember]) -> Digest:
    """Names the members of a committee, their keys and their weights."""
    rows = sorted((one.account, one.vrf_key, one.weight) for one in members)
    return digest_of(b"committee", encode(rows))


def quorum_of(total: Weight, *, churn_profile: bool) -> Weight:
    """Computes the quorum: all but the third, or under churn three fifths, rounded up past it."""
    if churn_profile:
        return Weight(3 * total // 5 + 1)
    return Weight(total - (total - 1) // 3)


def _check_members(members: Sequence[CommitteeMember]) -> None:
    if not 1 <= len(members) <= MEMBERS_MAX:
        raise Misuse(f"a committee has 1 to {MEMBERS_MAX} members, not {len(members)}")
    if len({member.account for member in members}) != len(members):
        raise Misuse("an account is a member only once")
    if any(member.weight < 1 for member in members):
        raise Misuse("every member has a positive weight")


def _genesis_digest(network: Digest, epoch: Epoch, author: MemberIndex, origin: bytes) -> Digest:
    return digest_of(
        b"genesis-block",
        network,
        epoch.to_bytes(INTEGER_BYTES, "big"),
        author.to_bytes(INTEGER_BYTES, "big"),
        *((origin,) if origin else ()),
    )
