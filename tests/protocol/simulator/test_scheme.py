import pytest

from protocol.encoding import digest_of
from protocol.errors import Reason, Rejected
from protocol.signing import BLOCK, OPERATION, REAL, Scheme
from protocol.simulator.scheme import CACHED, FAKE

SEED = b"s" * 32
DIGEST = digest_of(b"test")
SCHEMES = pytest.mark.parametrize("scheme", [FAKE, CACHED], ids=["fake", "cached"])


@SCHEMES
def test_what_was_signed_verifies(scheme: Scheme) -> None:
    signature = scheme.sign(SEED, BLOCK, DIGEST)
    assert len(signature) == 64
    for _ in range(2):
        scheme.verify(scheme.account_of(SEED), BLOCK, DIGEST, signature)


@SCHEMES
def test_another_tag_key_or_digest_does_not_verify(scheme: Scheme) -> None:
    signature, account = scheme.sign(SEED, BLOCK, DIGEST), scheme.account_of(SEED)
    for wrong in (
        (account, OPERATION, DIGEST),
        (account, BLOCK, digest_of(b"other")),
        (scheme.account_of(b"t" * 32), BLOCK, DIGEST),
    ):
        with pytest.raises(Rejected) as caught:
            scheme.verify(*wrong, signature)
        assert caught.value.reason is Reason.BAD_SIGNATURE


@SCHEMES
def test_a_proof_yields_one_output(scheme: Scheme) -> None:
    key, proof = scheme.vrf_key_of(SEED), scheme.prove(SEED, b"message")
    assert len(proof) == 80
    assert len(scheme.verify_proof(key, b"message", proof)) == 64
    with pytest.raises(Rejected) as caught:
        scheme.verify_proof(key, b"another", proof)
    assert caught.value.reason is Reason.BAD_PROOF


def test_keys_are_real_in_simulations() -> None:
    assert FAKE.account_of(SEED) == REAL.account_of(SEED)
    assert FAKE.vrf_key_of(SEED) == REAL.vrf_key_of(SEED)
