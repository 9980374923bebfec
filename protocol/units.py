"""Identifiers and quantities as distinct types, so that a round can never be passed as an index."""

from typing import NewType

AccountId = NewType("AccountId", bytes)
"""32-byte Ed25519 public key of an account; also the libp2p identity of the node that holds it."""

Digest = NewType("Digest", bytes)
"""32-byte BLAKE2b digest of canonical bytes."""

JobId = NewType("JobId", bytes)
"""32-byte identifier of the offer operation that opened the job."""

Signature = NewType("Signature", bytes)
"""64-byte Ed25519 signature."""

Credits = NewType("Credits", int)
"""Amount of money in millionths of one credit; never negative."""

BasisPoints = NewType("BasisPoints", int)
"""Share in ten-thousandths."""

Nonce = NewType("Nonce", int)
"""Position of an operation in its account's chain; the first is 0."""

Epoch = NewType("Epoch", int)
"""Period with one fixed committee; the genesis committee serves epoch 0."""

Round = NewType("Round", int)
"""Logical step of the block DAG; genesis blocks are round 0."""

MemberIndex = NewType("MemberIndex", int)
"""Position of a committee member in the order of public keys."""

CommitIndex = NewType("CommitIndex", int)
"""Position of a leader commit in the finalised sequence; the first is 1."""

Nanoseconds = NewType("Nanoseconds", int)
"""Integer time since genesis; the only time that the protocol knows."""

Milliseconds = NewType("Milliseconds", int)
"""Integer duration, or time since genesis where a name ends in `_ms`."""

Weight = NewType("Weight", int)
"""Voting weight of a committee member, in whole credits staked."""

DIGEST_BYTES = 32
KEY_BYTES = 32
SIGNATURE_BYTES = 64
VRF_PROOF_BYTES = 80
CREDIT = 1_000_000
"""Millionths in one credit."""
BASIS = 10_000
"""Basis points in one."""
MILLISECOND = 1_000_000
"""Nanoseconds in one millisecond."""
SECOND = 1_000_000_000
"""Nanoseconds in one second."""
