import io

import pytest

from p2pnode.offline.export_file import (
    FRAME_BYTES_MAX,
    MAGIC,
    NO_DIGEST,
    Entry,
    ExportWriter,
    Header,
    RecordedFinal,
    read_frames,
)
from p2pnode.offline.findings import BadEntry
from protocol.encoding import encode

HEADER = Header(NO_DIGEST, b"genesis")
FINALS = [RecordedFinal(index, NO_DIGEST, NO_DIGEST) for index in (1, 2, 5)]
BLOCKS = [Entry(b"one"), Entry(b"two")]


def written(*frames: RecordedFinal | Entry) -> bytes:
    stream = io.BytesIO()
    writer = ExportWriter(stream, HEADER)
    for frame in frames:
        writer.write(frame)
    writer.finish()
    return stream.getvalue()


def refusal(content: bytes) -> tuple[int, str]:
    with pytest.raises(BadEntry) as caught:
        list(read_frames(io.BytesIO(content)))
    return caught.value.index, caught.value.code


def framed(value: object) -> bytes:
    packed = encode(value)
    return len(packed).to_bytes(4, "big") + packed


def test_what_was_written_is_read_again() -> None:
    *frames, trailer = read_frames(io.BytesIO(written(*FINALS, *BLOCKS)))
    assert frames == [HEADER, *FINALS, *BLOCKS]
    assert (trailer.entries, trailer.final) == (2, FINALS[-1])  # type: ignore[union-attr]


def test_damage_and_cuts_are_noticed_wherever_they_are() -> None:
    content = written(*FINALS, *BLOCKS)
    for place in range(len(content)):
        refusal(content[:place])
        damaged = bytes([content[place] ^ 1 << place % 8])
        refusal(content[:place] + damaged + content[place + 1 :])


def test_a_frame_out_of_place_is_refused() -> None:
    assert refusal(written(BLOCKS[0], FINALS[0])) == (2, "malformed")
    assert refusal(MAGIC + framed(BLOCKS[0])) == (0, "malformed")
    assert refusal(written(FINALS[1], FINALS[0])) == (0, "malformed")


def test_an_impossible_length_is_refused_before_it_is_read() -> None:
    content = MAGIC + (FRAME_BYTES_MAX + 1).to_bytes(4, "big")
    assert refusal(content) == (0, "malformed")
