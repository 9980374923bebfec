"""Chains of epoch certificates made out of thin air, by committees whose keys are known."""

from collections.abc import Iterator
from dataclasses import dataclass

from protocol.encoding import digest_of
from protocol.ledger.certificate import Boundary, Closed
from protocol.ledger.certified import EpochCertificate, certificate_of
from protocol.ledger.committee import Committee, CommitteeMember, members_digest
from protocol.messages import Genesis
from protocol.signing import EPOCH, REAL
from protocol.units import AccountId, CommitIndex, Digest, Epoch, MemberIndex
from tests.support.builders import account_seed, make_genesis


@dataclass
class Notary:
    """Ends one epoch after the other; the same members go on, all but one of them sign."""

    members: int
    """Of them, as many sign as a quorum needs."""

    def __post_init__(self) -> None:
        self.genesis: Genesis = make_genesis(self.members)
        self.committee = Committee.of_genesis(self.genesis)
        self._seeds = {
            AccountId(REAL.account_of(account_seed(number))): account_seed(number)
            for number in range(self.members)
        }

    def certificates(self, epochs: int) -> Iterator[EpochCertificate]:
        """Certifies the next epochs."""
        for _ in range(epochs):
            yield self.end()

    def end(
        self, *, following: tuple[CommitteeMember, ...] = (), root: Digest | None = None
    ) -> EpochCertificate:
        """Ends the running epoch; the members go on unless others are named."""
        committee = self.committee
        name = committee.epoch.to_bytes(8, "big")
        members = following or committee.members
        boundary = Boundary(
            committee.network,
            committee.epoch,
            CommitIndex(10 * (committee.epoch + 1)),
            digest_of(b"commit", name),
            root or digest_of(b"root", name),
            members_digest(members),
            digest_of(b"beacon", name),
        )
        closed = Closed(boundary, boundary.digest, committee)
        for number, member in enumerate(committee.members):
            if closed.is_certified:
                break
            signature = REAL.sign(self._seeds[member.account], EPOCH, boundary.digest)
            closed.signatures[MemberIndex(number)] = signature
        self.committee = Committee(
            committee.network,
            Epoch(committee.epoch + 1),
            members,
            boundary.beacon,
            churn_profile=self.genesis.parameters.churn_profile,
            origin=boundary.digest,
        )
        return certificate_of(closed, members)
