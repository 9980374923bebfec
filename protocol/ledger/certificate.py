"""How an epoch ended, as its own members attest it: the certificate that leads to the next one."""

from dataclasses import dataclass, field

from protocol.encoding import digest_of, encode
from protocol.ledger.committee import Committee
from protocol.units import CommitIndex, Digest, Epoch, MemberIndex, Signature


@dataclass(frozen=True, slots=True)
class Boundary:
    """How an epoch ended, and who goes on: what its members attest."""

    network: Digest
    epoch: Epoch
    index: CommitIndex
    """Its last commit."""
    commit_digest: Digest
    state_digest: Digest
    committee: Digest
    """Names the members of the next epoch, their keys and weights."""
    beacon: Digest
    """The random value from which the next epoch's leaders are drawn."""

    @property
    def digest(self) -> Digest:
        """What members sign, under the tag `EPOCH`."""
        fields = (self.network, self.epoch, self.index, self.commit_digest, self.state_digest)
        return digest_of(b"boundary", encode((*fields, self.committee, self.beacon)))


@dataclass(slots=True)
class Closed:
    """An epoch that is over, and what its members say of its end.

    Attributes:
        boundary: How it ended here.
        digest: That of the boundary.
        committee: Its members.
        signatures: Of the members that agree: with a quorum, the epoch's certificate.
        disputing: Members that signed another end.
    """

    boundary: Boundary
    digest: Digest
    committee: Committee
    signatures: dict[MemberIndex, Signature] = field(default_factory=dict)
    disputing: dict[MemberIndex, None] = field(default_factory=dict)

    @property
    def is_certified(self) -> bool:
        """Whether members with the weight of a quorum agree."""
        return self.committee.weight_of(self.signatures) >= self.committee.quorum

    @property
    def is_contradicted(self) -> bool:
        """Whether more weight disagrees than a faulty minority can have."""
        committee = self.committee
        return committee.weight_of(self.disputing) > committee.total - committee.quorum
