"""An epoch ends with its rounds or with its time, and a standstill ends none."""

from msgspec.structs import replace

from protocol.ledger.boundary import EpochClock
from protocol.parameters import minimal
from protocol.units import Round

TERMS = replace(
    minimal(), epoch_rounds=100, epoch_ms=60_000, epoch_rounds_min=8, ledger_step_max_ms=15_000
)


def closing_round(step_ms: int, rounds: int = 300) -> int:
    clock = EpochClock(TERMS, 5_000)
    return next(
        number
        for number in range(1, rounds)
        if clock.closes(Round(number), 5_000 + number * step_ms)
    )


def test_an_epoch_ends_at_its_last_round_or_when_its_time_is_over() -> None:
    assert closing_round(step_ms=100) == 100
    assert closing_round(step_ms=1_000) == 60


def test_a_commit_counts_for_a_bounded_time_only() -> None:
    assert closing_round(step_ms=3_600_000) == 8, "four steps are a minute, but too few rounds"
    clock = EpochClock(TERMS, 0)
    assert not clock.closes(Round(50), 8 * 3_600_000), "a night's standstill ends no epoch"


def test_the_last_round_may_be_skipped() -> None:
    clock = EpochClock(TERMS, 0)
    assert not clock.closes(Round(99), 100)
    assert clock.closes(Round(103), 200)
