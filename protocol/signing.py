"""Domain-separated Ed25519 signatures, and the scheme that a core is given.

`PyNaCl` alone verifies: libraries differ in which odd signatures they accept, and a node that
accepts what another refuses could be split off the ledger. A `Scheme` bundles the few functions,
so that a simulation may run the same core without paying for real signatures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_sign,
    crypto_sign_BYTES,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import BadSignatureError

from protocol import vrf
from protocol.errors import Misuse, Reason, Rejected
from protocol.units import DIGEST_BYTES, KEY_BYTES, SIGNATURE_BYTES, AccountId, Digest, Signature

DOMAIN: Final = b"p2pnode/1/"
"""Prefix of everything signed; the digit is the version of the signing rules."""

BLOCK: Final = b"block"
OPERATION: Final = b"operation"
CHECKPOINT: Final = b"checkpoint"
EPOCH: Final = b"epoch"


@dataclass(frozen=True, slots=True)
class Identity:
    """The secrets of one node."""

    seed: bytes
    """32-byte signing seed: account, block signatures and libp2p identity."""
    vrf_seed: bytes
    """32-byte seed of the verifiable random function; never the same as `seed`."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The cryptographic functions of a core.

    Attributes:
        account_of: Seed (32 bytes) to account.
        sign: Seed, tag, digest to signature.
        verify: Account, tag, digest, signature; raises `Rejected(BAD_SIGNATURE)`.
        vrf_key_of: Seed to verifiable-random-function key.
        prove: Seed, message to an 80-byte proof.
        verify_proof: Key, message, proof to 64 bytes of output; raises `Rejected(BAD_PROOF)`.
        read_proof: The same for a proof that was verified before; cheap, and checks little.
    """

    account_of: Callable[[bytes], AccountId]
    sign: Callable[[bytes, bytes, Digest], Signature]
    verify: Callable[[AccountId, bytes, Digest, Signature], None]
    vrf_key_of: Callable[[bytes], bytes]
    prove: Callable[[bytes, bytes], bytes]
    verify_proof: Callable[[bytes, bytes, bytes], bytes]
    read_proof: Callable[[bytes, bytes, bytes], bytes]


def account_of(seed: bytes) -> AccountId:
    """Derives the account, which is the public key, from a 32-byte seed."""
    if len(seed) != KEY_BYTES:
        raise Misuse("a signing seed has 32 bytes")
    return AccountId(crypto_sign_seed_keypair(seed)[0])


def sign(seed: bytes, tag: bytes, digest: Digest) -> Signature:
    """Signs a digest under a domain tag."""
    if len(seed) != KEY_BYTES or len(digest) != DIGEST_BYTES:
        raise Misuse("a signing seed and a digest have 32 bytes each")
    _, secret = crypto_sign_seed_keypair(seed)
    signed: bytes = crypto_sign(DOMAIN + tag + digest, secret)
    return Signature(signed[:crypto_sign_BYTES])


def verify(account: AccountId, tag: bytes, digest: Digest, signature: Signature) -> None:
    """Checks a signature.

    Raises:
        Rejected: `BAD_SIGNATURE`.
    """
    if len(account) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise Rejected(Reason.BAD_SIGNATURE, "wrong length")
    try:
        crypto_sign_open(signature + DOMAIN + tag + digest, account)
    except BadSignatureError:
        raise Rejected(Reason.BAD_SIGNATURE) from None


def check_key(account: AccountId) -> None:
    """Refuses keys outside the prime-order group, which could sign ambiguously.

    Raises:
        Rejected: `BAD_KEY`.
    """
    if len(account) != KEY_BYTES or not crypto_core_ed25519_is_valid_point(account):
        raise Rejected(Reason.BAD_KEY)


REAL: Final = Scheme(
    account_of=account_of,
    sign=sign,
    verify=verify,
    vrf_key_of=vrf.public_key,
    prove=vrf.prove,
    verify_proof=vrf.verify,
    read_proof=lambda key, message, proof: vrf.output(proof),
)
"""The scheme of every real node."""
