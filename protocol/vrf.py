"""Verifiable random function: one unpredictable output per key and message, with its proof.

Leaders prove their contribution to the beacon with it and every node verifies it; nobody can
choose between two outputs for the same message. This is ECVRF-EDWARDS25519-SHA512-TAI of RFC 9381
(suite 0x03), built from the group operations that PyNaCl binds.

It is stricter than the RFC where the RFC leaves room: the key and Gamma must be canonical points
of the prime-order subgroup, so that a proof has one form only and every node gives one verdict.
libsodium judges the subgroup rightly only since the fix of CVE-2025-69277, which PyNaCl ships from
1.6.2 on; a test here fails with any older one.

Source: RFC 9381, sections 5 and 5.5; section names are given at each step.
"""

import hashlib
from typing import NamedTuple

from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_is_valid_point,
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_core_ed25519_sub,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)
from nacl.exceptions import RuntimeError as SodiumRefusal

from protocol.errors import Misuse, Reason, Rejected
from protocol.units import KEY_BYTES, VRF_PROOF_BYTES

SUITE = b"\x03"
"""Suite string of ECVRF-EDWARDS25519-SHA512-TAI."""
ENCODE_DOMAIN = SUITE + b"\x01"
"""Prefix of the hash that maps a message to the curve."""
CHALLENGE_DOMAIN = SUITE + b"\x02"
"""Prefix of the hash that yields the challenge."""
OUTPUT_DOMAIN = SUITE + b"\x03"
"""Prefix of the hash that yields the output."""
DOMAIN_END = b"\x00"
"""Suffix of all three hashes."""

CHALLENGE_BYTES = 16
SCALAR_BYTES = 32
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
"""Order of the prime-order subgroup; a proof's scalar must be below it."""
FIELD_PRIME = 2**255 - 19
"""Modulus of the coordinates; an encoding at or above it is not canonical."""
SIGN_BIT = 1 << 255
"""Bit of a point's encoding that carries the sign of x; the others are y."""
IDENTITY = (1).to_bytes(KEY_BYTES, "little")
"""Encoding of the group's neutral element."""
MAXIMUM_ATTEMPTS = 256
"""Values of the one-byte counter; each hits the curve with probability one half."""


class _Proof(NamedTuple):
    gamma: bytes
    challenge: bytes
    scalar: bytes


class _Secret(NamedTuple):
    scalar: bytes
    nonce_key: bytes


def public_key(seed: bytes) -> bytes:
    """Derive the public key that verifies proofs made with a seed.

    The derivation is that of Ed25519, so a seed must serve either signatures or this function,
    never both: nonces of one would then depend on a key that the other uses too.

    Args:
        seed: 32 secret bytes.

    Raises:
        Misuse: The seed is not 32 bytes long.
    """
    return crypto_scalarmult_ed25519_base_noclamp(_expand(seed).scalar)


def prove(seed: bytes, message: bytes) -> bytes:
    """Prove the output of a seed for a message; the same inputs always give the same proof.

    Returns:
        80 bytes: Gamma (32), challenge (16), scalar (32).

    Raises:
        Misuse: The seed is not 32 bytes long.

    Source: RFC 9381, 5.1 (ECVRF_prove) and 5.4.2.2 (nonce generation).
    """
    secret = _expand(seed)
    key = crypto_scalarmult_ed25519_base_noclamp(secret.scalar)
    base = _encode_to_curve(key, message)
    gamma = crypto_scalarmult_ed25519_noclamp(secret.scalar, base)
    nonce = crypto_core_ed25519_scalar_reduce(hashlib.sha512(secret.nonce_key + base).digest())
    commitment = crypto_scalarmult_ed25519_base_noclamp(nonce)
    base_commitment = crypto_scalarmult_ed25519_noclamp(nonce, base)
    challenge = _challenge(key, base, gamma, commitment, base_commitment)
    product = crypto_core_ed25519_scalar_mul(_widen(challenge), secret.scalar)
    return gamma + challenge + crypto_core_ed25519_scalar_add(nonce, product)


def verify(public_key: bytes, message: bytes, proof: bytes) -> bytes:
    """Check a proof and return the output that it proves.

    Args:
        public_key: The prover's key, as received.
        message: What the output was drawn for.
        proof: The proof, as received.

    Returns:
        The 64-byte output, uniform to everyone who does not hold the seed.

    Raises:
        Rejected: `BAD_KEY` for anything but a canonical point of the prime-order subgroup;
            `BAD_PROOF` for a proof that is malformed or not for this key and message.

    Source: RFC 9381, 5.3 (ECVRF_verify) with key validation (5.4.5).
    """
    if not _is_group_point(public_key):
        raise Rejected(Reason.BAD_KEY, "not a point of the prime-order subgroup")
    gamma, challenge, scalar = _decode(proof)
    base = _encode_to_curve(public_key, message)
    # The sum of the prover's nonce and challenge * secret, less the latter: the nonce's points.
    commitment = crypto_core_ed25519_sub(
        crypto_scalarmult_ed25519_base_noclamp(scalar),
        crypto_scalarmult_ed25519_noclamp(_widen(challenge), public_key),
    )
    base_commitment = crypto_core_ed25519_sub(
        crypto_scalarmult_ed25519_noclamp(scalar, base),
        crypto_scalarmult_ed25519_noclamp(_widen(challenge), gamma),
    )
    if _challenge(public_key, base, gamma, commitment, base_commitment) != challenge:
        raise Rejected(Reason.BAD_PROOF, "the challenge does not match")
    return _output_of(gamma)


def output(proof: bytes) -> bytes:
    """Return the 64-byte output of a proof that has already been verified.

    Only the form of the proof is checked here, not that it belongs to any key or message.

    Raises:
        Rejected: `BAD_PROOF` for a malformed proof.

    Source: RFC 9381, 5.2 (ECVRF_proof_to_hash).
    """
    return _output_of(_decode(proof).gamma)


def _expand(seed: bytes) -> _Secret:
    """Split a seed into its clamped scalar and its nonce key (RFC 8032, 5.1.5)."""
    if len(seed) != KEY_BYTES:
        raise Misuse(f"a seed has {KEY_BYTES} bytes, not {len(seed)}")
    digest = bytearray(hashlib.sha512(seed).digest())
    digest[0] &= 0b1111_1000
    digest[31] &= 0b0111_1111
    digest[31] |= 0b0100_0000
    return _Secret(scalar=bytes(digest[:SCALAR_BYTES]), nonce_key=bytes(digest[SCALAR_BYTES:]))


def _is_group_point(point: bytes) -> bool:
    return len(point) == KEY_BYTES and crypto_core_ed25519_is_valid_point(point)


def _decode(proof: bytes) -> _Proof:
    """Split a proof and check the form of its parts (RFC 9381, 5.4.4, and the module's rules)."""
    if len(proof) != VRF_PROOF_BYTES:
        raise Rejected(Reason.BAD_PROOF, f"{len(proof)} bytes instead of {VRF_PROOF_BYTES}")
    parts = _Proof(
        gamma=proof[:KEY_BYTES],
        challenge=proof[KEY_BYTES:-SCALAR_BYTES],
        scalar=proof[-SCALAR_BYTES:],
    )
    if not _is_group_point(parts.gamma):
        raise Rejected(Reason.BAD_PROOF, "Gamma is not a point of the prime-order subgroup")
    if int.from_bytes(parts.scalar, "little") >= GROUP_ORDER:
        raise Rejected(Reason.BAD_PROOF, "the scalar is not below the group order")
    # No prover can reach a zero on purpose (it would have to invert the challenge's hash), and
    # libsodium refuses to multiply by one.
    if not any(parts.scalar) or not any(parts.challenge):
        raise Rejected(Reason.BAD_PROOF, "a zero scalar or challenge")
    return parts


def _encode_to_curve(key: bytes, message: bytes) -> bytes:
    """Map a message to a point of the prime-order subgroup (RFC 9381, 5.4.1.1, try-and-increment).

    The time depends on key and message, both of which are public.
    """
    start = ENCODE_DOMAIN + key + message
    for attempt in range(MAXIMUM_ATTEMPTS):
        candidate = hashlib.sha512(start + bytes([attempt]) + DOMAIN_END).digest()[:KEY_BYTES]
        point = _clear_cofactor(candidate)
        if point is not None and point != IDENTITY:
            return point
    raise AssertionError("no attempt hit the curve, which has a probability of 2**-256")


def _clear_cofactor(candidate: bytes) -> bytes | None:
    """Multiply an encoded curve point by the cofactor 8; None when it encodes no curve point.

    libsodium's multiplication refuses the seven of eight points outside the subgroup. Its addition
    asks only for a point of the curve, so three doublings by addition do both steps at once.
    """
    if int.from_bytes(candidate, "little") & ~SIGN_BIT >= FIELD_PRIME:
        return None
    point = candidate
    try:
        for _ in range(3):
            point = crypto_core_ed25519_add(point, point)
    except SodiumRefusal:
        return None
    return point


def _challenge(*points: bytes) -> bytes:
    """Hash key, base, Gamma and the two commitments to the challenge (RFC 9381, 5.4.3)."""
    text = CHALLENGE_DOMAIN + b"".join(points) + DOMAIN_END
    return hashlib.sha512(text).digest()[:CHALLENGE_BYTES]


def _widen(challenge: bytes) -> bytes:
    return challenge.ljust(SCALAR_BYTES, b"\0")


def _output_of(gamma: bytes) -> bytes:
    cleared = _clear_cofactor(gamma)
    assert cleared is not None, "Gamma was checked to be a point of the subgroup"
    return hashlib.sha512(OUTPUT_DOMAIN + cleared + DOMAIN_END).digest()
