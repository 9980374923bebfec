"""Values to canonical bytes and back: one encoding per value, strict and bounded.

The only place where `msgpack` packs and unpacks. A value is a `msgspec.Struct` that packs as an
array of its fields; `msgspec.convert` checks types and ranges of what was unpacked. Whatever does
not re-encode to the same bytes is refused, so equal values have equal bytes and equal digests.
"""

import hashlib
from typing import Final, TypeVar

import msgpack
import msgspec

from protocol.errors import Misuse, Reason, Rejected
from protocol.units import DIGEST_BYTES, Digest

Value = TypeVar("Value")

CHUNK_BYTES: Final = 1024 * 1024
"""Content is checked, sent and fetched in pieces of this size; the last one may be shorter."""

_KEPT: Final = (bytes,)


def encode(value: object) -> bytes:
    """Packs a message, or a tuple of plain values, into its canonical bytes."""
    packed: bytes = msgpack.packb(msgspec.to_builtins(value, builtin_types=_KEPT))
    return packed


def decode(raw: bytes, kind: type[Value], limit_bytes: int) -> Value:
    """Unpacks and checks a message from outside.

    Args:
        raw: The bytes as they arrived.
        kind: The type that they must have.
        limit_bytes: The largest size accepted.

    Raises:
        Rejected: `TOO_LARGE`, `MALFORMED` or `NOT_CANONICAL`.
    """
    return _checked(unpack_plain(raw, limit_bytes), raw, kind)


def decode_version(raw: bytes, kind: type[Value], limit_bytes: int, version: int) -> Value:
    """Does as `decode` for a message whose first field is its version.

    The version is looked at first, so that a message of a newer program is refused for what it is,
    whatever fields it has.

    Raises:
        Rejected: `TOO_LARGE`, `WRONG_VERSION`, `MALFORMED` or `NOT_CANONICAL`.
    """
    plain = unpack_plain(raw, limit_bytes)
    found = plain[0] if isinstance(plain, tuple) and plain else None
    if type(found) is int and found != version:
        detail = f"it has version {found}, and this node speaks version {version}"
        raise Rejected(Reason.WRONG_VERSION, detail)
    return _checked(plain, raw, kind)


def _checked(plain: object, raw: bytes, kind: type[Value]) -> Value:
    try:
        value = msgspec.convert(plain, kind, strict=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Rejected(Reason.MALFORMED, str(error)) from None
    if encode(value) != raw:
        raise Rejected(Reason.NOT_CANONICAL)
    return value


def decode_kept(raw: bytes, kind: type[Value]) -> Value:
    """Unpacks what this node checked before it kept it; types are checked, the form is not.

    Raises:
        Rejected: `MALFORMED`, when the bytes were damaged meanwhile.
    """
    try:
        return msgspec.convert(_unpack(raw), kind, strict=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Rejected(Reason.MALFORMED, str(error)) from None


def pack_plain(plain: object) -> bytes:
    """Packs arrays, integers, texts and bytes as they are."""
    packed: bytes = msgpack.packb(plain, default=_long)
    return packed


def _long(number: object) -> bytes:
    """Stands in for an integer that MessagePack cannot hold: its bytes, the first of them not 0."""
    assert isinstance(number, int), f"no plain value: {type(number).__name__}"
    assert number > 0, "no quantity is so far below zero"
    return number.to_bytes(-(-number.bit_length() // 8), "big")


def unpack_plain(raw: bytes, limit_bytes: int) -> object:
    """Unpacks bytes from outside into arrays, integers, texts and bytes.

    Raises:
        Rejected: `TOO_LARGE` or `MALFORMED`.
    """
    if len(raw) > limit_bytes:
        raise Rejected(Reason.TOO_LARGE, f"{len(raw)} bytes, at most {limit_bytes}")
    return _unpack(raw)


def digest_of(tag: bytes, *parts: bytes) -> Digest:
    """Hashes parts under a domain: BLAKE2b-256, personalised by the tag, parts length-prefixed.

    Args:
        tag: Domain of at most 16 bytes; equal parts under two tags never share a digest.
        parts: The bytes to bind, in order.
    """
    if len(tag) > hashlib.blake2b.PERSON_SIZE:
        raise Misuse(f"a digest tag has at most {hashlib.blake2b.PERSON_SIZE} bytes")
    state = hashlib.blake2b(digest_size=DIGEST_BYTES, person=tag)
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return Digest(state.digest())


def content_digest(content: bytes) -> Digest:
    """Names an artefact, an input or an output by its content.

    Content of up to one chunk has its plain BLAKE2b-256 as name; larger content the digest of the
    list of its chunks, so that each chunk can be checked as it arrives.
    """
    if len(content) <= CHUNK_BYTES:
        return Digest(hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest())
    view = memoryview(content)
    chunks = [
        hashlib.blake2b(view[at : at + CHUNK_BYTES], digest_size=DIGEST_BYTES).digest()
        for at in range(0, len(content), CHUNK_BYTES)
    ]
    return chunk_list_digest(len(content), b"".join(chunks))


def chunk_list_digest(size_bytes: int, digests: bytes) -> Digest:
    """Names content of more than one chunk by its size and the digests of its chunks, joined."""
    return digest_of(b"chunks", size_bytes.to_bytes(8, "big"), digests)


def _unpack(raw: bytes) -> object:
    """Unpacks with every limit set; the libraries' many exceptions become one rejection."""
    size = len(raw)
    try:
        plain: object = msgpack.unpackb(
            raw,
            use_list=False,
            raw=False,
            strict_map_key=True,
            max_str_len=size,
            max_bin_len=size,
            max_array_len=size,
            max_map_len=0,
            max_ext_len=0,
        )
        return plain
    except (ValueError, msgpack.UnpackException, RecursionError, TypeError) as error:
        raise Rejected(Reason.MALFORMED, str(error) or type(error).__name__) from None
