"""Uptime: counted by blocks, forgotten within a day, never claimed."""

from msgspec.structs import replace

from protocol.economy.uptime import UNKNOWN, Attendance, Step, Uptime, after_kept, kept_of
from protocol.parameters import live
from tests.support.builders import account_id

TERMS = replace(live(), uptime_steps=20)
ROUNDS = 10


def close_steps(attendance: Attendance, blocks: dict[int, int], steps: int = 1) -> None:
    for _ in range(steps):
        for number, count in blocks.items():
            attendance.count([account_id(number)] * count)
        attendance.close(ROUNDS, TERMS)


def test_a_record_is_one_bit_a_step_and_forgets_what_lies_before_the_window() -> None:
    first = after_kept(UNKNOWN, Step(0), TERMS)
    assert first == Uptime(Step(0), b"\x01")
    third = after_kept(first, Step(2), TERMS)
    assert third == Uptime(Step(2), b"\x05")
    assert [kept_of(third, Step(step), TERMS) for step in (2, 19, 20, 21, 22, 10**9)] == [
        *(2, 2, 1, 1, 0, 0)
    ]


def test_a_record_of_long_ago_starts_anew() -> None:
    old = after_kept(UNKNOWN, Step(3), TERMS)
    assert after_kept(old, Step(10**12), TERMS) == Uptime(Step(10**12), b"\x01")


def test_a_member_is_up_after_it_kept_nearly_a_whole_window() -> None:
    attendance = Attendance()
    close_steps(attendance, {1: ROUNDS}, 18)
    assert not attendance.is_up(account_id(1), TERMS)
    close_steps(attendance, {1: ROUNDS})
    assert attendance.kept(account_id(1), TERMS) == 19
    assert attendance.is_up(account_id(1), TERMS)


def test_one_missed_step_of_twenty_is_forgiven_and_a_second_is_not() -> None:
    attendance = Attendance()
    close_steps(attendance, {1: ROUNDS}, 20)
    close_steps(attendance, {})
    assert attendance.is_up(account_id(1), TERMS)
    close_steps(attendance, {2: ROUNDS})
    assert not attendance.is_up(account_id(1), TERMS)
    close_steps(attendance, {1: ROUNDS}, 19)
    assert attendance.is_up(account_id(1), TERMS)


def test_a_step_needs_blocks_in_nearly_all_of_its_rounds() -> None:
    attendance = Attendance()
    close_steps(attendance, {1: 8, 2: 7})
    assert attendance.present == (account_id(1),)
    assert attendance.take_changes() == ((account_id(1), Uptime(Step(0), b"\x01")),)
    assert attendance.take_changes() == ()


def test_blocks_count_once() -> None:
    attendance = Attendance()
    close_steps(attendance, {1: ROUNDS})
    close_steps(attendance, {2: ROUNDS})
    assert attendance.present == (account_id(2),)


def test_whoever_never_had_a_block_kept_nothing() -> None:
    attendance = Attendance()
    assert attendance.kept(account_id(5), TERMS) == 0
    assert not attendance.is_up(account_id(5), TERMS)
