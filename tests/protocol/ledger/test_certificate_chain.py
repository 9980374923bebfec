"""The chain of certificates: what it proves, where it may begin, and what it refuses."""

import pytest
from msgspec.structs import replace

from protocol.errors import Reason, Rejected
from protocol.ledger.certificate_chain import CertificateChain
from protocol.ledger.certified import TrustedEnd, encode_certificate
from protocol.ledger.committee import CommitteeMember
from protocol.signing import REAL
from protocol.units import Digest, Epoch, Weight
from tests.support.builders import account_id, vrf_key
from tests.support.certificates import Notary

MEMBERS = 4


def chain_of(notary: Notary, raws: list[bytes], end: TrustedEnd | None = None) -> CertificateChain:
    chain = CertificateChain(notary.genesis, REAL, end)
    for raw in raws:
        chain.extend(raw)
    return chain


def notarised(epochs: int) -> tuple[Notary, list[bytes]]:
    notary = Notary(MEMBERS)
    return notary, [encode_certificate(one) for one in notary.certificates(epochs)]


def test_a_chain_leads_from_genesis_to_the_newest_end_through_changing_committees() -> None:
    notary = Notary(MEMBERS)
    fewer = notary.committee.members[1:]
    newer = CommitteeMember(account_id(3), vrf_key(9), Weight(77))
    changed = tuple(newer if one.account == newer.account else one for one in fewer)
    certificates = [notary.end(), notary.end(following=fewer), notary.end(following=changed)]
    certificates.append(notary.end())
    chain = chain_of(notary, [encode_certificate(one) for one in certificates])
    assert chain.next_epoch == 4
    assert chain.newest is not None
    assert chain.newest.state_digest == certificates[-1].state_digest
    assert chain.committee is not None
    assert chain.committee.members == tuple(sorted(changed, key=lambda one: one.account))


def test_a_certificate_that_does_not_follow_is_refused_and_changes_nothing() -> None:
    notary, raws = notarised(3)
    stranger = Notary(MEMBERS + 1)
    foreign = [encode_certificate(one) for one in stranger.certificates(2)]
    chain = chain_of(notary, raws[:1])
    before = (chain.next_epoch, chain.newest, chain.committee, chain.signers)
    for raw, reason in (
        (raws[0], Reason.WRONG_EPOCH),
        (raws[2], Reason.WRONG_EPOCH),
        (foreign[1], Reason.BAD_SIGNATURE),
        (b"\x90", Reason.MALFORMED),
    ):
        with pytest.raises(Rejected) as caught:
            chain.extend(raw)
        assert caught.value.reason is reason
        assert (chain.next_epoch, chain.newest, chain.committee, chain.signers) == before
    chain.extend(raws[1])
    assert chain.next_epoch == 2


def test_a_chain_may_begin_at_an_end_that_somebody_trusts() -> None:
    notary, raws = notarised(4)
    whole = chain_of(notary, raws[:3])
    assert whole.newest is not None
    end = TrustedEnd(Epoch(2), whole.newest.digest)
    chain = CertificateChain(notary.genesis, REAL, end)
    assert (chain.next_epoch, chain.committee) == (2, None)
    chain.extend(raws[2])
    assert chain.signers is None, "a person's word stands for the signatures"
    chain.extend(raws[3])
    assert chain.next_epoch == 4
    lie = CertificateChain(notary.genesis, REAL, TrustedEnd(Epoch(2), Digest(bytes(32))))
    with pytest.raises(Rejected) as caught:
        lie.extend(raws[2])
    assert caught.value.reason is Reason.UNTRUSTED_END


def test_two_ends_that_are_both_signed_contradict_each_other_and_a_forgery_does_not() -> None:
    notary, raws = notarised(1)
    twin = Notary(MEMBERS)
    twin.end()
    one, other = notary.end(), twin.end(following=twin.committee.members[1:])
    chain = chain_of(notary, [*raws, encode_certificate(one)])
    assert not chain.contradicts(encode_certificate(one))
    fewer = replace(one, signatures=one.signatures[:-1])
    assert not chain.contradicts(encode_certificate(fewer)), "it tells of the same end"
    assert chain.contradicts(encode_certificate(other))
    forged = replace(other, signatures=one.signatures)
    for raw, reason in (
        (encode_certificate(forged), Reason.BAD_SIGNATURE),
        (raws[0], Reason.WRONG_EPOCH),
    ):
        with pytest.raises(Rejected) as caught:
            chain.contradicts(raw)
        assert caught.value.reason is reason


def test_nothing_contradicts_an_end_that_a_person_vouches_for() -> None:
    notary, twin = Notary(MEMBERS), Notary(MEMBERS)
    mine, other = notary.end(), twin.end(following=twin.committee.members[1:])
    whole = chain_of(notary, [encode_certificate(mine)])
    assert whole.newest is not None
    chain = CertificateChain(notary.genesis, REAL, TrustedEnd(Epoch(0), whole.newest.digest))
    chain.extend(encode_certificate(mine))
    with pytest.raises(Rejected) as caught:
        chain.contradicts(encode_certificate(other))
    assert caught.value.reason is Reason.UNTRUSTED_END
