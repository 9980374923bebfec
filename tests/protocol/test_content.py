"""Content has one name, whoever computes it and in whatever pieces."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.content import ChunkList, ContentHasher, chunk_count
from protocol.encoding import CHUNK_BYTES, content_digest, digest_of
from protocol.units import Digest


def listed(*pieces: bytes) -> ChunkList:
    hasher = ContentHasher()
    for piece in pieces:
        hasher.update(piece)
    return hasher.chunks()


def plain(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=32).digest()


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES])
def test_content_of_one_chunk_has_its_plain_digest_as_name(size: int) -> None:
    content = b"x" * size
    assert content_digest(content) == plain(content)
    assert listed(content) == ChunkList(size, (content_digest(content),))


@pytest.mark.parametrize("size", [CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 7])
def test_larger_content_is_named_by_its_size_and_chunks(size: int) -> None:
    content = b"y" * size
    starts = range(0, size, CHUNK_BYTES)
    digests = [plain(content[at : at + CHUNK_BYTES]) for at in starts]
    expected = digest_of(b"chunks", size.to_bytes(8, "big"), b"".join(digests))
    assert content_digest(content) == expected
    chunks = listed(content)
    assert chunks == ChunkList(size, tuple(map(Digest, digests)))
    assert chunks.name == expected
    assert sum(map(chunks.length, range(len(digests)))) == size
    assert chunk_count(size) == len(digests)


def test_the_name_of_a_list_is_pinned() -> None:
    content = bytes(CHUNK_BYTES) + b"\1"
    expected = "035f843e43953c3242e21a446bfb21e260eb278e94b815ba0fb404b686bf63f6"
    assert content_digest(content).hex() == expected


@given(st.lists(st.integers(0, CHUNK_BYTES + 10), max_size=5))
def test_pieces_of_any_size_give_the_same_name(sizes: list[int]) -> None:
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    assert listed(*pieces).name == content_digest(b"".join(pieces))


@pytest.mark.parametrize("size", [0, 5, CHUNK_BYTES + 1])
def test_a_list_comes_back_from_its_bytes_and_from_no_others(size: int) -> None:
    chunks = listed(bytes(size))
    raw = chunks.encode()
    assert ChunkList.decode(raw, chunks.name) == chunks
    for wrong in (raw[:-1], raw + b"x", raw[8:], b"", b"\xff" * len(raw)):
        assert ChunkList.decode(wrong, chunks.name) is None
    assert ChunkList.decode(raw, content_digest(b"another")) is None
    if size > CHUNK_BYTES:
        assert ChunkList.decode((size + 1).to_bytes(8, "big") + raw[8:], chunks.name) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_none(raw: bytes) -> None:
    found = ChunkList.decode(raw, bytes(32))
    assert found is None or found.name == bytes(32)
