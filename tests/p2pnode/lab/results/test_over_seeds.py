"""Intervals over seeds."""

from p2pnode.lab.results.over_seeds import (
    Interval,
    Middle,
    WaitInterval,
    mean_over_seeds,
    median_over_seeds,
    middle_of,
    resamples_for,
)
from p2pnode.lab.results.survival import Quantile, Wait


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert mean_over_seeds([2.0] * 5) == Interval(5, 2.0, 2.0, 2.0)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another_one() -> None:
    values = [1.0, 2.0, 4.0, 8.0, 16.0]
    first = mean_over_seeds(values, seed=1, resamples=200)
    assert first == mean_over_seeds(values, seed=1, resamples=200)
    assert first is not None
    assert first != mean_over_seeds(values, seed=2, resamples=200)
    assert first.middle == 6.2
    assert 1.0 <= first.low < 6.2 < first.high <= 16.0


def test_most_intervals_of_a_known_mean_hold_it() -> None:
    held = 0
    for trial in range(40):
        values = [float((trial * 7919 + place * 104729) % 1000) for place in range(30)]
        interval = mean_over_seeds(values, seed=trial, resamples=200)
        assert interval is not None
        held += interval.low <= 499.5 <= interval.high
    assert held >= 34


def test_a_median_that_most_runs_never_came_to_is_beyond_what_was_watched() -> None:
    waits = [Wait(100.0), *(Wait(5_000.0, has_ended=False) for _ in range(9))]
    beyond = Quantile(5_000.0, is_beyond=True)
    assert median_over_seeds(waits, resamples=200) == WaitInterval(10, 9, beyond, beyond, beyond)


def test_one_censored_run_moves_the_upper_bound_only() -> None:
    waits = [Wait(1.0), Wait(2.0), Wait(3.0, has_ended=False)]
    interval = median_over_seeds(waits, resamples=400)
    assert interval is not None
    assert (interval.middle, interval.low) == (Quantile(2.0), Quantile(1.0))
    assert interval.high == Quantile(3.0, is_beyond=True)


def test_no_runs_have_no_interval() -> None:
    assert mean_over_seeds([]) is None
    assert median_over_seeds([]) is None


def test_times_have_a_median_and_all_else_a_mean_with_an_interval_from_five_seeds_on() -> None:
    ends = Quantile(1), Quantile(7)
    assert middle_of("recovery_backlog_ms", [1, 2, 3, 4, 7], 200) == Middle(Quantile(3), ends)
    late = {"beyond_ms": 9.0}
    assert middle_of("recovery_backlog_ms", [1, late, late]) == Middle(Quantile(9.0, True), None)
    assert middle_of("divergence", [1, 2, 6]) == Middle(Quantile(3.0), None)


def test_many_values_have_fewer_resamples_and_never_too_few() -> None:
    assert [resamples_for(count) for count in (0, 100, 1_000, 10**6)] == [2_000, 2_000, 400, 200]
