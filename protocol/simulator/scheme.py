"""Signatures for simulations: a fast stand-in, and the real ones checked once per process.

The stand-in signs with a hash that anybody could compute; simulated adversaries do not try. Keys
are real in both, since genesis may refuse what is no key.
"""

import hashlib
from functools import cache
from typing import Final

from protocol.errors import Reason, Rejected
from protocol.signing import REAL, Scheme
from protocol.units import SIGNATURE_BYTES, VRF_PROOF_BYTES, AccountId, Digest, Signature

OUTPUT_BYTES: Final = 64


@cache
def _account_of(seed: bytes) -> AccountId:
    return REAL.account_of(seed)


@cache
def _vrf_key_of(seed: bytes) -> bytes:
    return REAL.vrf_key_of(seed)


def _hash(key: bytes, tag: bytes, message: bytes, size: int = SIGNATURE_BYTES) -> bytes:
    return hashlib.blake2b(tag + b"/" + message, digest_size=size, key=key).digest()


def _sign(seed: bytes, tag: bytes, digest: Digest) -> Signature:
    return Signature(_hash(_account_of(seed), tag, digest))


def _verify(account: AccountId, tag: bytes, digest: Digest, signature: Signature) -> None:
    if _hash(account, tag, digest) != signature:
        raise Rejected(Reason.BAD_SIGNATURE)


def _proof(key: bytes, message: bytes) -> bytes:
    rest = _hash(key, b"rest", message, VRF_PROOF_BYTES - SIGNATURE_BYTES)
    return _hash(key, b"proof", message) + rest


def _prove(seed: bytes, message: bytes) -> bytes:
    return _proof(_vrf_key_of(seed), message)


def _verify_proof(key: bytes, message: bytes, proof: bytes) -> bytes:
    if _proof(key, message) != proof:
        raise Rejected(Reason.BAD_PROOF)
    return _read_proof(key, message, proof)


def _read_proof(key: bytes, message: bytes, proof: bytes) -> bytes:
    return _hash(key, b"output", message, OUTPUT_BYTES)


@cache
def _real_verdict(account: AccountId, tag: bytes, digest: Digest, signature: Signature) -> bool:
    try:
        REAL.verify(account, tag, digest, signature)
    except Rejected:
        return False
    return True


def _verify_once(account: AccountId, tag: bytes, digest: Digest, signature: Signature) -> None:
    if not _real_verdict(account, tag, digest, signature):
        raise Rejected(Reason.BAD_SIGNATURE)


@cache
def _real_output(key: bytes, message: bytes, proof: bytes) -> bytes:
    return REAL.verify_proof(key, message, proof)


FAKE: Final = Scheme(
    account_of=_account_of,
    sign=_sign,
    verify=_verify,
    vrf_key_of=_vrf_key_of,
    prove=_prove,
    verify_proof=_verify_proof,
    read_proof=_read_proof,
)
"""Hashes in place of signatures and proofs: a hundred times faster."""

CACHED: Final = Scheme(
    account_of=_account_of,
    sign=REAL.sign,
    verify=_verify_once,
    vrf_key_of=_vrf_key_of,
    prove=REAL.prove,
    verify_proof=_real_output,
    read_proof=REAL.read_proof,
)
"""The real functions; what one simulated node has verified, no other one verifies again."""
