from protocol.simulator.queue import Capacity, Queue
from protocol.units import MILLISECOND, SECOND

SLOW = Capacity(rate_bps=8_000, queue_bytes=1_500)
"""A thousand bytes a second."""


def test_messages_leave_one_after_the_other_at_the_given_speed() -> None:
    queue = Queue(SLOW)
    assert queue.take(0, 500) == SECOND // 2
    assert queue.take(0, 1_000) == SECOND * 3 // 2


def test_an_idle_sender_starts_at_once() -> None:
    queue = Queue(SLOW)
    queue.take(0, 100)
    assert queue.take(SECOND, 100) == SECOND + 100 * MILLISECOND


def test_what_has_no_room_is_dropped_and_takes_no_time() -> None:
    queue = Queue(SLOW)
    assert queue.take(0, 1_000) is not None
    assert queue.take(0, 501) is None
    assert queue.take(0, 500) == SECOND * 3 // 2
    assert queue.take(SECOND, 1_000) == SECOND * 5 // 2


def test_an_idle_sender_takes_what_is_larger_than_its_queue() -> None:
    assert Queue(SLOW).take(0, 2_000) == 2 * SECOND


def test_times_are_rounded_up() -> None:
    assert Queue(Capacity(rate_bps=3 * 10**9)).take(0, 1) == 3
