from protocol.roles.outbox import BATCH_BYTES_MAX, INTERVAL_MS, Outbox
from protocol.units import MILLISECOND
from protocol.wire import OperationBatch, open_message

INTERVAL = INTERVAL_MS * MILLISECOND


def flushed(outbox: Outbox, now: int) -> tuple[bytes, ...]:
    raw = outbox.flush(now)
    if raw is None:
        return ()
    batch = open_message(raw)
    assert isinstance(batch, OperationBatch)
    return batch.operations


def test_the_first_operation_goes_out_at_once() -> None:
    outbox = Outbox()
    assert outbox.due() is None
    outbox.add(b"one", 5)
    outbox.add(b"two", 6)
    assert outbox.due() == 5
    assert flushed(outbox, 6) == (b"one", b"two")
    assert outbox.due() is None
    assert outbox.flush(7) is None


def test_batches_keep_their_distance() -> None:
    outbox = Outbox()
    outbox.add(b"one", 0)
    flushed(outbox, 0)
    outbox.add(b"two", 1)
    outbox.add(b"three", 2)
    assert outbox.due() == INTERVAL
    assert outbox.flush(INTERVAL - 1) is None
    assert flushed(outbox, INTERVAL) == (b"two", b"three")


def test_after_a_pause_nothing_waits() -> None:
    outbox = Outbox()
    outbox.add(b"one", 0)
    flushed(outbox, 0)
    outbox.add(b"two", 9 * INTERVAL)
    assert outbox.due() == 9 * INTERVAL


def test_what_a_batch_cannot_hold_follows_in_the_next() -> None:
    outbox = Outbox()
    half = bytes(BATCH_BYTES_MAX // 2)
    for _ in range(3):
        outbox.add(half, 0)
    assert flushed(outbox, 0) == (half, half)
    assert outbox.due() == INTERVAL
    assert flushed(outbox, INTERVAL) == (half,)


def test_one_large_operation_is_not_stuck() -> None:
    outbox = Outbox()
    large = bytes(BATCH_BYTES_MAX + 1)
    outbox.add(large, 0)
    outbox.add(b"next", 0)
    assert flushed(outbox, 0) == (large,)
    assert flushed(outbox, INTERVAL) == (b"next",)
