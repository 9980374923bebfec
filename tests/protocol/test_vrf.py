import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings

from protocol import vrf
from protocol.errors import Misuse, Reason, Rejected

VECTORS = Path(__file__).parents[1] / "vectors" / "ecvrf_edwards25519_sha512_tai.json"
EXAMPLES = [
    {name: bytes.fromhex(value) for name, value in vector.items()}
    for vector in json.loads(VECTORS.read_text())["vectors"]
]
SEED = bytes(range(32))
KEY = vrf.public_key(SEED)
MESSAGE = b"slot 7"
PROOF = vrf.prove(SEED, MESSAGE)
GAMMA, SCALAR = PROOF[:32], PROOF[48:]
ORDER_TWO = (vrf.FIELD_PRIME - 1).to_bytes(32, "little")
"""The point (0, -1), which older libsodium overlooks when it is added to a proper point."""

byte_strings = st.binary(max_size=100)
seeds = st.binary(min_size=32, max_size=32)


def reason_of(key: bytes, message: bytes, proof: bytes) -> Reason:
    with pytest.raises(Rejected) as caught:
        vrf.verify(key, message, proof)
    return caught.value.reason


def flips(data: bytes) -> list[bytes]:
    number = int.from_bytes(data, "little")
    return [(number ^ 1 << bit).to_bytes(len(data), "little") for bit in range(8 * len(data))]


def clamped_scalar(seed: bytes) -> bytes:
    scalar = bytearray(hashlib.sha512(seed).digest()[:32])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 127 | 64
    return bytes(scalar)


def base_point(key: bytes, message: bytes) -> bytes:
    """Encode to the curve by a second route: decode each attempt, clear the cofactor by 8 sums."""
    for attempt in range(256):
        text = b"\x03\x01" + key + message + bytes([attempt]) + b"\x00"
        candidate = total = hashlib.sha512(text).digest()[:32]
        try:
            for _ in range(7):
                total = bindings.crypto_core_ed25519_add(total, candidate)
        except RuntimeError:
            continue
        return total
    raise AssertionError


def second_proof_with_another_gamma() -> bytes:
    """Make a proof whose Gamma is off by the point of order two, which an even challenge hides."""
    secret, base = clamped_scalar(SEED), base_point(KEY, MESSAGE)
    gamma = bindings.crypto_core_ed25519_add(GAMMA, ORDER_TWO)
    for number in range(1, 100):
        nonce = number.to_bytes(32, "little")
        commitment = bindings.crypto_scalarmult_ed25519_base_noclamp(nonce)
        base_commitment = bindings.crypto_scalarmult_ed25519_noclamp(nonce, base)
        text = b"\x03\x02" + KEY + base + gamma + commitment + base_commitment + b"\x00"
        challenge = hashlib.sha512(text).digest()[:16]
        if challenge[0] % 2 == 0:
            product = bindings.crypto_core_ed25519_scalar_mul(challenge + bytes(16), secret)
            return gamma + challenge + bindings.crypto_core_ed25519_scalar_add(nonce, product)
    raise AssertionError


@pytest.mark.parametrize("example", EXAMPLES, ids=["16", "17", "18"])
def test_the_examples_of_the_rfc_are_reproduced(example: dict[str, bytes]) -> None:
    key, message = example["public_key"], example["alpha"]
    assert vrf.public_key(example["secret_key"]) == key
    assert vrf.prove(example["secret_key"], message) == example["proof"]
    assert vrf.verify(key, message, example["proof"]) == example["output"]
    assert vrf.output(example["proof"]) == example["output"]


def test_all_three_examples_of_the_rfc_are_present() -> None:
    assert len(EXAMPLES) == 3


@given(seeds, byte_strings)
@settings(max_examples=50, deadline=None)
def test_every_proof_verifies_and_gives_its_output(seed: bytes, message: bytes) -> None:
    key, proof = vrf.public_key(seed), vrf.prove(seed, message)
    assert key == bindings.crypto_sign_seed_keypair(seed)[0]
    assert len(proof) == 80
    assert vrf.prove(seed, message) == proof
    assert vrf.verify(key, message, proof) == vrf.output(proof)
    assert len(vrf.output(proof)) == 64


def test_every_flipped_bit_of_a_proof_is_rejected() -> None:
    mutants = flips(PROOF)
    assert len(mutants) == 640
    assert {reason_of(KEY, MESSAGE, mutant) for mutant in mutants} == {Reason.BAD_PROOF}


def test_every_flipped_bit_of_a_key_is_rejected() -> None:
    reasons = [reason_of(mutant, MESSAGE, PROOF) for mutant in flips(KEY)]
    assert set(reasons) == {Reason.BAD_KEY, Reason.BAD_PROOF}
    # Flipping the sign bit negates the key, which stays a valid one.
    assert reasons[255] is Reason.BAD_PROOF


def test_every_flipped_bit_of_a_message_is_rejected() -> None:
    assert {reason_of(KEY, mutant, PROOF) for mutant in flips(MESSAGE)} == {Reason.BAD_PROOF}


def test_a_proof_of_another_key_is_rejected() -> None:
    other = vrf.public_key(bytes(32))
    assert reason_of(other, MESSAGE, PROOF) is Reason.BAD_PROOF


@pytest.mark.parametrize(
    "scalar",
    [
        vrf.GROUP_ORDER + int.from_bytes(SCALAR, "little"),
        vrf.GROUP_ORDER,
        2**256 - 1,
        0,
    ],
    ids=["plus-order", "order", "highest", "zero"],
)
def test_a_scalar_that_is_zero_or_not_reduced_is_rejected(scalar: int) -> None:
    mutant = PROOF[:48] + scalar.to_bytes(32, "little")
    assert reason_of(KEY, MESSAGE, mutant) is Reason.BAD_PROOF
    with pytest.raises(Rejected):
        vrf.output(mutant)


def test_the_unreduced_scalar_would_satisfy_the_equation() -> None:
    unreduced = (vrf.GROUP_ORDER + int.from_bytes(SCALAR, "little")).to_bytes(32, "little")
    multiply = bindings.crypto_scalarmult_ed25519_base_noclamp
    assert multiply(unreduced) == multiply(SCALAR)


def test_a_zero_challenge_is_rejected() -> None:
    assert reason_of(KEY, MESSAGE, GAMMA + bytes(16) + SCALAR) is Reason.BAD_PROOF


@pytest.mark.parametrize(
    "point",
    [
        vrf.IDENTITY,
        ORDER_TWO,
        bytes(32),
        (vrf.FIELD_PRIME + 1).to_bytes(32, "little"),
        (vrf.FIELD_PRIME + 3).to_bytes(32, "little"),
        (2).to_bytes(32, "little"),
        b"\xff" * 32,
        bindings.crypto_core_ed25519_add(KEY, ORDER_TWO),
        bindings.crypto_core_ed25519_add(KEY, bytes(32)),
    ],
    ids=[
        "identity",
        "order-two",
        "order-four",
        "identity-not-canonical",
        "not-canonical",
        "off-the-curve",
        "all-ones",
        "mixed-with-order-two",
        "mixed-with-order-four",
    ],
)
def test_a_point_outside_the_prime_order_group_is_no_key_and_no_gamma(point: bytes) -> None:
    mutant = point + PROOF[32:]
    assert reason_of(point, MESSAGE, PROOF) is Reason.BAD_KEY
    assert reason_of(KEY, MESSAGE, mutant) is Reason.BAD_PROOF
    with pytest.raises(Rejected) as caught:
        vrf.output(mutant)
    assert caught.value.reason is Reason.BAD_PROOF


def test_a_second_proof_of_the_same_output_is_rejected_for_its_gamma() -> None:
    second = second_proof_with_another_gamma()
    with pytest.raises(Rejected) as caught:
        vrf.verify(KEY, MESSAGE, second)
    assert caught.value.reason is Reason.BAD_PROOF
    assert "Gamma" in caught.value.detail
    eightfold = [GAMMA, second[:32]]
    for _ in range(3):
        eightfold = [bindings.crypto_core_ed25519_add(point, point) for point in eightfold]
    assert eightfold[0] == eightfold[1], "both would give one output"


@pytest.mark.parametrize("number", [vrf.FIELD_PRIME + 1, vrf.FIELD_PRIME + 3, 2**256 - 16])
def test_an_attempt_that_is_not_canonical_is_off_the_curve(number: int) -> None:
    candidate = number.to_bytes(32, "little")
    assert len(bindings.crypto_core_ed25519_add(candidate, candidate)) == 32, "libsodium takes it"
    assert vrf._clear_cofactor(candidate) is None


def test_attempts_off_the_curve_or_at_the_identity_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts = iter([None, vrf.IDENTITY, KEY])
    monkeypatch.setattr(vrf, "_clear_cofactor", lambda _: next(attempts))
    assert vrf._encode_to_curve(KEY, MESSAGE) == KEY


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64, 80])
def test_a_key_of_another_length_is_rejected(size: int) -> None:
    assert reason_of(bytes(size), MESSAGE, PROOF) is Reason.BAD_KEY


@pytest.mark.parametrize("proof", [b"", PROOF[:-1], PROOF + b"\0", PROOF * 2])
def test_a_proof_of_another_length_is_rejected(proof: bytes) -> None:
    assert reason_of(KEY, MESSAGE, proof) is Reason.BAD_PROOF
    with pytest.raises(Rejected):
        vrf.output(proof)


@given(
    st.one_of(st.just(KEY), seeds, byte_strings),
    byte_strings,
    st.one_of(
        byte_strings,
        st.binary(min_size=80, max_size=80),
        st.binary(min_size=48, max_size=48).map(lambda tail: GAMMA + tail),
        st.binary(min_size=16, max_size=16).map(lambda middle: GAMMA + middle + SCALAR),
    ),
)
@settings(max_examples=200, deadline=None)
def test_hostile_bytes_are_rejected_and_nothing_else(
    key: bytes, message: bytes, proof: bytes
) -> None:
    assert reason_of(key, message, proof) in {Reason.BAD_KEY, Reason.BAD_PROOF}


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_of_another_length_is_misuse(size: int) -> None:
    with pytest.raises(Misuse):
        vrf.public_key(bytes(size))
    with pytest.raises(Misuse):
        vrf.prove(bytes(size), MESSAGE)
