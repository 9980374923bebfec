import time

import pytest

from p2pnode.clock import NodeClock


def test_time_counts_from_genesis() -> None:
    clock = NodeClock(time.time_ns() // 1_000_000 - 60_000)
    assert clock.now() == pytest.approx(60e9, abs=5e9)


def test_a_date_before_genesis_is_negative_and_not_refused() -> None:
    clock = NodeClock(time.time_ns() // 1_000_000 + 60_000)
    assert clock.now() == pytest.approx(-60e9, abs=5e9)


def test_a_jump_of_the_date_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = NodeClock(0)
    before = clock.now()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert before <= clock.now() < before + 5 * 10**9


def test_the_wait_for_a_moment_is_in_seconds_and_never_negative() -> None:
    clock = NodeClock(time.time_ns() // 1_000_000)
    assert clock.seconds_until(clock.now() + 30 * 10**9) == pytest.approx(30, abs=1)
    assert clock.seconds_until(clock.now() - 1) == 0


def test_a_wrong_clock_is_off_as_long_as_it_is_wrong_and_still_never_runs_backwards() -> None:
    errors = [60 * 10**9]
    clock = NodeClock(time.time_ns() // 1_000_000, lambda: errors[0])
    ahead = clock.now()
    assert ahead == pytest.approx(60e9, abs=5e9)
    errors[0] = 0
    assert clock.now() == ahead
    errors[0] = 120 * 10**9
    assert clock.now() == pytest.approx(120e9, abs=5e9)
