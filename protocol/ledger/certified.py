"""The certificate of an epoch as a message: whoever knows an epoch's committee can check the next.

A chain of them leads from genesis, or from the digest of one boundary that a person trusts, to the
newest state: nothing of what happened in between has to be there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta, Struct

from protocol.encoding import decode, encode
from protocol.errors import Reason, Rejected
from protocol.ledger.certificate import Boundary, Closed
from protocol.ledger.committee import MEMBERS_MAX, Committee, CommitteeMember, members_digest
from protocol.messages import Hash, Key, Member, Position, Seal
from protocol.signing import EPOCH, Scheme
from protocol.units import AccountId, CommitIndex, Digest, Epoch, Weight

CERTIFICATE_BYTES_MAX: Final = 16 * 1024
"""Format bound: 64 seats and 64 signatures take two thirds of this."""


class SeatRow(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One member of the committee that a certificate hands over to."""

    account: Key
    vrf_key: Key
    weight: Annotated[int, Meta(ge=1, le=2**53)]


class EpochCertificate(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=50):
    """How an epoch ended, who goes on, and the members of the ended epoch that say so."""

    epoch: Position
    index: Position
    """The last commit of the epoch."""
    commit_digest: Hash
    state_digest: Hash
    beacon: Hash
    """The random value from which the next epoch's leaders are drawn."""
    members: Annotated[tuple[SeatRow, ...], Meta(min_length=1, max_length=MEMBERS_MAX)]
    """The next committee, ascending by account."""
    signatures: Annotated[tuple[tuple[Member, Seal], ...], Meta(max_length=MEMBERS_MAX)]
    """Of members of the ended epoch over the digest of its boundary, ascending by index."""


@dataclass(frozen=True, slots=True)
class TrustedEnd:
    """The end of an epoch that a person names by hand: nothing before it has to be checked."""

    epoch: Epoch
    boundary: Digest


def certificate_of(closed: Closed, following: Sequence[CommitteeMember]) -> EpochCertificate:
    """Takes down an ended epoch and the committee that it handed over to."""
    boundary = closed.boundary
    return EpochCertificate(
        boundary.epoch,
        boundary.index,
        boundary.commit_digest,
        boundary.state_digest,
        boundary.beacon,
        tuple(
            SeatRow(member.account, AccountId(member.vrf_key), member.weight)
            for member in sorted(following, key=lambda one: one.account)
        ),
        tuple(sorted(closed.signatures.items())),
    )


def open_certificate(raw: bytes) -> EpochCertificate:
    """Reads a certificate from outside; whether it certifies anything is `verify_certificate`'s.

    Raises:
        Rejected: `TOO_LARGE`, `MALFORMED` or `NOT_CANONICAL`.
    """
    certificate = decode(raw, EpochCertificate, CERTIFICATE_BYTES_MAX)
    accounts = [member.account for member in certificate.members]
    signers = [index for index, _ in certificate.signatures]
    if accounts != sorted(set(accounts)) or signers != sorted(set(signers)):
        raise Rejected(Reason.NOT_CANONICAL, "members ascend, and none is named twice")
    return certificate


def encode_certificate(certificate: EpochCertificate) -> bytes:
    """Packs a certificate into its canonical bytes."""
    return encode(certificate)


def boundary_of(certificate: EpochCertificate, network: Digest) -> Boundary:
    """What the members of the ended epoch have signed, if the certificate is right."""
    return Boundary(
        network,
        Epoch(certificate.epoch),
        CommitIndex(certificate.index),
        certificate.commit_digest,
        certificate.state_digest,
        members_digest(_following(certificate)),
        certificate.beacon,
    )


def verify_certificate(
    certificate: EpochCertificate, committee: Committee, scheme: Scheme, *, churn_profile: bool
) -> Committee:
    """Checks that an epoch's own members say how it ended.

    Args:
        certificate: From `open_certificate`.
        committee: The members of the epoch that it ends.
        scheme: Signature functions.
        churn_profile: The network's quorum rule.

    Returns:
        The committee of the next epoch.

    Raises:
        Rejected: `WRONG_EPOCH`, `NOT_A_MEMBER`, `BAD_SIGNATURE`, or `NO_QUORUM` when those that
            signed weigh too little.
    """
    if certificate.epoch != committee.epoch:
        raise Rejected(Reason.WRONG_EPOCH, f"it ends {certificate.epoch}, not {committee.epoch}")
    signers = [index for index, _ in certificate.signatures]
    if signers and signers[-1] >= len(committee):
        raise Rejected(Reason.NOT_A_MEMBER, f"there is no member {signers[-1]}")
    if committee.weight_of(signers) < committee.quorum:
        raise Rejected(Reason.NO_QUORUM)
    digest = boundary_of(certificate, committee.network).digest
    for index, signature in certificate.signatures:
        scheme.verify(committee.members[index].account, EPOCH, digest, signature)
    return _next_committee(certificate, committee.network, digest, churn_profile=churn_profile)


def trust_certificate(
    certificate: EpochCertificate, trusted: TrustedEnd, network: Digest, *, churn_profile: bool
) -> Committee:
    """Checks a certificate against the end that a person trusts; its signatures do not matter.

    Returns:
        The committee of the next epoch.

    Raises:
        Rejected: `WRONG_EPOCH`, or `UNTRUSTED_END` when it tells of another end.
    """
    if certificate.epoch != trusted.epoch:
        raise Rejected(Reason.WRONG_EPOCH)
    digest = boundary_of(certificate, network).digest
    if digest != trusted.boundary:
        raise Rejected(Reason.UNTRUSTED_END, f"it tells of the end {digest.hex()}")
    return _next_committee(certificate, network, digest, churn_profile=churn_profile)


def _next_committee(
    certificate: EpochCertificate, network: Digest, origin: Digest, *, churn_profile: bool
) -> Committee:
    return Committee(
        network,
        Epoch(certificate.epoch + 1),
        _following(certificate),
        certificate.beacon,
        churn_profile=churn_profile,
        origin=origin,
    )


def _following(certificate: EpochCertificate) -> tuple[CommitteeMember, ...]:
    return tuple(
        CommitteeMember(row.account, row.vrf_key, Weight(row.weight)) for row in certificate.members
    )
