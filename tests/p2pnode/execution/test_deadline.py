import threading

from p2pnode.execution.deadline import Deadline


def test_the_deadline_interrupts_once_its_time_is_over() -> None:
    deadline, interrupted = Deadline(20), threading.Event()
    deadline.interrupt_with(interrupted.set)
    assert interrupted.wait(5)
    assert deadline.passed


def test_a_deadline_that_has_passed_interrupts_at_once() -> None:
    deadline, interrupted, later = Deadline(0), threading.Event(), threading.Event()
    deadline.interrupt_with(interrupted.set)
    assert interrupted.wait(5)
    deadline.interrupt_with(later.set)
    assert later.is_set()


def test_before_its_time_nothing_is_interrupted() -> None:
    deadline, interrupted = Deadline(60_000), threading.Event()
    deadline.interrupt_with(interrupted.set)
    assert not interrupted.wait(0.02)
    assert not deadline.passed
