from dataclasses import replace

import msgpack
import pytest

from p2pnode.execution import frames
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, NoResult, RunOutcome, Stretch
from tests.p2pnode.execution import builders


def test_a_task_survives_its_frame() -> None:
    task = builders.task(b"artefact", inputs=(b"", b"two"))
    frame = frames.encode_task(task)
    (length,) = frames.HEADER.unpack_from(frame)
    assert length == len(frame) - frames.HEADER.size
    assert frames.decode_task(frame[frames.HEADER.size :]) == task


def test_a_stretch_of_steps_survives_its_frame() -> None:
    stretch = Stretch(3, 5, b"left")
    task = replace(builders.task(b"artefact"), stretch=stretch)
    frame = frames.encode_task(task)
    assert frames.decode_task(frame[frames.HEADER.size :]) == task
    plain = builders.task(b"artefact")
    assert frames.answer_bytes_max(task) == frames.answer_bytes_max(plain) + 2 * 32
    assert frames.allowance_bytes(task) == frames.allowance_bytes(plain) + 3 * (4 + 2 * 32)


@pytest.mark.parametrize(
    "outcome",
    [
        Finished(b"output", 7, 5, 1000),
        Finished(b"output", 7, 5, 1000, b"t" * 64),
        *(LimitReached(limit, 7, 3) for limit in Limit),
        Failed("why", 7),
        NoResult("why", 7),
    ],
)
def test_an_outcome_survives_its_frame(outcome: RunOutcome) -> None:
    frame = frames.encode_outcome(outcome)
    trace_bytes = len(outcome.trace) if isinstance(outcome, Finished) else 0
    assert frames.decode_outcome(frame[frames.HEADER.size :], 7, 5, trace_bytes) == outcome


def test_a_long_detail_is_cut() -> None:
    frame = frames.encode_outcome(Failed("x" * 10_000, 0))
    assert len(frame) < frames.OVERHEAD_BYTES


@pytest.mark.parametrize(
    "body",
    [
        b"",
        msgpack.packb(1),
        msgpack.packb(["finished", b"", -1, 0, b""]),
        msgpack.packb(["finished", "text", 1, 0, b""]),
        msgpack.packb(["limit", "patience", 0]),
        msgpack.packb(["finished", b"", 11, 0, b""]),
        msgpack.packb(["finished", b"", 2**63, 0, b""]),
        msgpack.packb(["finished", b"", True, 0, b""]),
        msgpack.packb(["finished", b"", 1, 2**63, b""]),
        msgpack.packb(["finished", b"", 1, 0]),
        msgpack.packb(["finished", b"", 1, 0, "trace"]),
        msgpack.packb(["finished", b"", 1, 0, bytes(32)]),
        msgpack.packb(["limit", "fuel", 11]),
        msgpack.packb(["failed", b"bytes"]),
        msgpack.packb(["failed", "why", "more"]),
        msgpack.packb(["none", 7]),
    ],
)
def test_an_answer_that_is_no_outcome_is_refused(body: bytes) -> None:
    with pytest.raises(frames.FrameError):
        frames.decode_outcome(body, 0, 10)


def test_only_a_metered_kind_can_burn_fuel() -> None:
    assert frames.fuel_max_of(builders.task(b"", fuel_limit=7)) == 7
    assert frames.fuel_max_of(builders.task(b"", kind="onnx", fuel_limit=7)) == 0
