import pytest
from nacl.signing import SigningKey, VerifyKey

from protocol.encoding import digest_of
from protocol.errors import Misuse, Reason, Rejected
from protocol.signing import BLOCK, CHECKPOINT, OPERATION, REAL, check_key
from protocol.units import AccountId, Digest, Signature

SEED = b"s" * 32
ACCOUNT = REAL.account_of(SEED)
NAMED = digest_of(b"something")
SIGNATURE = REAL.sign(SEED, BLOCK, NAMED)


def refusal(
    account: AccountId = ACCOUNT,
    tag: bytes = BLOCK,
    digest: Digest = NAMED,
    signature: Signature = SIGNATURE,
) -> Reason:
    with pytest.raises(Rejected) as caught:
        REAL.verify(account, tag, digest, signature)
    return caught.value.reason


def test_an_account_is_the_public_key_of_its_seed() -> None:
    assert bytes(SigningKey(SEED).verify_key) == ACCOUNT


def test_a_signature_is_over_the_rules_version_the_domain_and_the_digest() -> None:
    REAL.verify(ACCOUNT, BLOCK, NAMED, SIGNATURE)
    VerifyKey(ACCOUNT).verify(b"p2pnode/1/block" + NAMED, SIGNATURE)
    assert REAL.sign(SEED, BLOCK, NAMED) == SIGNATURE, "the same each time"


def test_a_signature_holds_in_its_domain_only() -> None:
    assert refusal(tag=OPERATION) is Reason.BAD_SIGNATURE
    assert refusal(tag=CHECKPOINT) is Reason.BAD_SIGNATURE


def test_a_signature_holds_for_its_digest_and_its_account_only() -> None:
    assert refusal(digest=digest_of(b"else")) is Reason.BAD_SIGNATURE
    assert refusal(account=REAL.account_of(b"t" * 32)) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("place", [0, 31, 32, 63])
def test_a_changed_signature_is_refused(place: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[place] ^= 1
    assert refusal(signature=Signature(bytes(changed))) is Reason.BAD_SIGNATURE


def test_a_second_form_of_a_signature_is_refused() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    response = int.from_bytes(SIGNATURE[32:], "little") + order
    forged = Signature(SIGNATURE[:32] + response.to_bytes(32, "little"))
    assert refusal(signature=forged) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(size: int) -> None:
    assert refusal(signature=Signature(bytes(size))) is Reason.BAD_SIGNATURE


def test_a_key_of_another_length_is_refused() -> None:
    assert refusal(account=AccountId(ACCOUNT[:31])) is Reason.BAD_SIGNATURE


def test_only_seeds_and_digests_are_signed() -> None:
    for seed, digest in ((SEED[:31], NAMED), (SEED, Digest(NAMED[:31]))):
        with pytest.raises(Misuse):
            REAL.sign(seed, BLOCK, digest)
    with pytest.raises(Misuse):
        REAL.account_of(SEED[:31])


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(b"\x01" + bytes(31), id="the neutral point"),
        pytest.param(bytes(32), id="a point of order four"),
        pytest.param(b"\x02" + bytes(31), id="no point"),
        pytest.param(b"\xff" * 32, id="no canonical coordinate"),
        pytest.param(ACCOUNT[:31], id="a short key"),
    ],
)
def test_keys_that_could_sign_ambiguously_are_refused(key: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        check_key(AccountId(key))
    assert caught.value.reason is Reason.BAD_KEY


def test_the_key_of_a_seed_is_a_good_key() -> None:
    check_key(ACCOUNT)


def test_a_random_value_is_proven_by_its_own_key() -> None:
    proof = REAL.prove(SEED, b"message")
    key = REAL.vrf_key_of(SEED)
    assert len(REAL.verify_proof(key, b"message", proof)) == 64
    with pytest.raises(Rejected) as caught:
        REAL.verify_proof(key, b"another", proof)
    assert caught.value.reason is Reason.BAD_PROOF
