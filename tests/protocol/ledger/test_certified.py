"""A chain of certificates, from the committee of genesis or from an end that a person trusts."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as altered

from protocol.errors import Reason, Rejected
from protocol.ledger.certified import (
    CERTIFICATE_BYTES_MAX,
    EpochCertificate,
    TrustedEnd,
    boundary_of,
    encode_certificate,
    open_certificate,
    trust_certificate,
    verify_certificate,
)
from protocol.ledger.committee import Committee
from protocol.messages import Registration, StakeDeposit
from protocol.signing import REAL
from protocol.units import Epoch, Signature
from tests.support.builders import STAKE, vrf_key
from tests.support.town import DOT, Town


def certified_town(ends: int = 2) -> tuple[Town, list[EpochCertificate]]:
    """Epochs that ended with a certificate; a member is evicted at the first end."""
    town = Town()
    town.commit((9, StakeDeposit(STAKE)), (9, Registration(vrf_key(9))))
    found = []
    for _ in range(ends):
        town.close(0, 1, 2)
        town.commit(*[(number, town.attestation(number)) for number in (0, 1, 2)])
        epoch = town.state.epochs.closed[-1].boundary.epoch
        certificate = town.state.epochs.certificate(epoch)
        assert certificate is not None
        found.append(certificate)
    return town, found


def first_committee(town: Town) -> Committee:
    return Committee.of_genesis(town.genesis)


def refusal(certificate: EpochCertificate, committee: Committee) -> Reason:
    with pytest.raises(Rejected) as caught:
        verify_certificate(certificate, committee, REAL, churn_profile=False)
    return caught.value.reason


def test_a_chain_of_certificates_leads_to_the_committee_that_the_state_has() -> None:
    town, certificates = certified_town()
    committee = first_committee(town)
    assert committee.index_of(DOT) is not None
    for certificate in certificates:
        again = open_certificate(encode_certificate(certificate))
        assert again == certificate
        committee = verify_certificate(again, committee, REAL, churn_profile=False)
    own = town.state.committee
    assert committee.epoch == own.epoch == 2
    assert committee.members == own.members
    assert committee.index_of(DOT) is None
    assert committee.genesis_digests == own.genesis_digests, "so the origin is the same, too"
    assert [committee.leader(one) for one in range(9)] == [own.leader(one) for one in range(9)]


def test_a_certificate_tells_the_boundary_that_the_state_keeps() -> None:
    town, certificates = certified_town()
    kept = [closed.boundary for closed in town.state.epochs.closed]
    network = town.state.committee.network
    assert [boundary_of(one, network) for one in certificates] == kept


def test_there_is_no_certificate_before_a_quorum_has_signed() -> None:
    town = Town()
    town.close(0, 1, 2)
    town.commit(*[(number, town.attestation(number)) for number in (0, 1)])
    assert town.state.epochs.certificate(Epoch(0)) is None
    town.commit((2, town.attestation(2)))
    certificate = town.state.epochs.certificate(Epoch(0))
    assert certificate is not None
    assert [index for index, _ in certificate.signatures] == [
        first_committee(town).index_of(account)
        for account in sorted(town.accounts)
        if account != DOT
    ]


def test_whoever_signs_less_than_a_quorum_certifies_nothing() -> None:
    town, (certificate, _) = certified_town()
    weaker = altered(certificate, signatures=certificate.signatures[1:])
    assert refusal(weaker, first_committee(town)) is Reason.NO_QUORUM


def test_a_signature_is_of_this_boundary_by_this_member() -> None:
    town, (certificate, _) = certified_town()
    committee = first_committee(town)
    heavier = altered(certificate.members[0], weight=certificate.members[0].weight + 1)
    changes: list[dict[str, object]] = [
        {"index": certificate.index + 1},
        {"commit_digest": bytes(32)},
        {"state_digest": bytes(32)},
        {"beacon": bytes(32)},
        {"members": (heavier, *certificate.members[1:])},
        {"members": certificate.members[1:]},
        {"signatures": tuple((one, Signature(bytes(64))) for one, _ in certificate.signatures)},
    ]
    for change in changes:
        assert refusal(altered(certificate, **change), committee) is Reason.BAD_SIGNATURE
    other = replace_member_of(certificate, committee)
    assert refusal(other, committee) is Reason.BAD_SIGNATURE


def replace_member_of(certificate: EpochCertificate, committee: Committee) -> EpochCertificate:
    """Gives a signature to the member that has not signed."""
    signers = dict(certificate.signatures)
    silent = next(index for index in range(len(committee)) if index not in signers)
    taken = signers.pop(max(signers))
    return altered(certificate, signatures=tuple(sorted({**signers, silent: taken}.items())))


def test_a_certificate_is_of_one_epoch_and_its_members() -> None:
    town, (first, second) = certified_town()
    committee = first_committee(town)
    assert refusal(second, committee) is Reason.WRONG_EPOCH
    stranger = (*first.signatures, (len(committee), Signature(bytes(64))))
    assert refusal(altered(first, signatures=stranger), committee) is Reason.NOT_A_MEMBER


@pytest.mark.parametrize("field", ["members", "signatures"])
def test_rows_ascend_and_name_nobody_twice(field: str) -> None:
    _, (certificate, _) = certified_town()
    row = getattr(certificate, field)
    for wrong in (row[::-1], (row[0], *row)):
        with pytest.raises(Rejected) as caught:
            open_certificate(encode_certificate(altered(certificate, **{field: wrong})))
        assert caught.value.reason is Reason.NOT_CANONICAL


def test_what_no_certificate_can_be_is_refused_before_it_is_read() -> None:
    for raw, reason in (
        (bytes(CERTIFICATE_BYTES_MAX + 1), Reason.TOO_LARGE),
        (b"\x93\x01\x02\x03", Reason.MALFORMED),
    ):
        with pytest.raises(Rejected) as caught:
            open_certificate(raw)
        assert caught.value.reason is reason


def test_an_end_that_a_person_trusts_needs_no_signature_and_stands_no_other() -> None:
    town, (first, second) = certified_town()
    network = town.state.committee.network
    trusted = TrustedEnd(Epoch(1), boundary_of(second, network).digest)
    bare = altered(second, signatures=())
    committee = trust_certificate(bare, trusted, network, churn_profile=False)
    assert committee.genesis_digests == town.state.committee.genesis_digests
    for certificate, end, reason in (
        (first, trusted, Reason.WRONG_EPOCH),
        (altered(bare, beacon=bytes(32)), trusted, Reason.UNTRUSTED_END),
        (bare, replace(trusted, boundary=bytes(32)), Reason.UNTRUSTED_END),
    ):
        with pytest.raises(Rejected) as caught:
            trust_certificate(certificate, end, network, churn_profile=False)
        assert caught.value.reason is reason
