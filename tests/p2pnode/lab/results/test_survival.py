"""Kaplan-Meier by hand."""

import pytest

from p2pnode.lab.results.survival import (
    Quantile,
    Wait,
    WaitSummary,
    ended_shares,
    quantile_of,
    summarise,
)


def ended(*times: float) -> list[Wait]:
    return [Wait(time) for time in times]


def test_without_censoring_shares_are_plain() -> None:
    assert ended_shares(ended(3.0, 1.0, 2.0, 2.0)) == [
        (1.0, pytest.approx(0.25)),
        (2.0, pytest.approx(0.75)),
        (3.0, pytest.approx(1.0)),
    ]


def test_what_is_cut_short_counts_as_waiting_until_then() -> None:
    # By hand: 1 - 3/4; then one of two left ends, the other was cut short: 1 - 3/4 * 1/2.
    waits = [Wait(1.0), Wait(2.0, has_ended=False), Wait(3.0), Wait(4.0, has_ended=False)]
    assert ended_shares(waits) == [(1.0, pytest.approx(0.25)), (3.0, pytest.approx(0.625))]


def test_what_ends_at_the_time_of_a_cut_counts_first() -> None:
    waits = [Wait(1.0, has_ended=False), Wait(1.0)]
    assert ended_shares(waits) == [(1.0, pytest.approx(0.5))]


def test_a_quantile_that_is_never_reached_says_beyond_what() -> None:
    waits = [Wait(1.0), Wait(9.0, has_ended=False), Wait(5.0, has_ended=False)]
    assert quantile_of(waits, 30) == Quantile(1.0)
    assert quantile_of(waits, 50) == Quantile(9.0, is_beyond=True)
    assert str(quantile_of(waits, 50)) == "> 9 ms"
    assert Quantile(9.0, is_beyond=True).to_json() == {"beyond_ms": 9.0}


def test_a_quantile_is_the_first_time_that_enough_have_ended() -> None:
    waits = ended(*(float(time) for time in range(1, 101)))
    assert [quantile_of(waits, percent) for percent in (1, 50, 95, 99, 100)] == [
        Quantile(1.0),
        Quantile(50.0),
        Quantile(95.0),
        Quantile(99.0),
        Quantile(100.0),
    ]


def test_nothing_has_no_quantiles() -> None:
    assert summarise([]) == WaitSummary(0, 0, None, None, None)
    assert summarise([]).to_json() == {
        "count": 0,
        "censored": 0,
        "p50": None,
        "p95": None,
        "p99": None,
    }


def test_a_summary_counts_what_was_cut_short() -> None:
    waits = [*ended(1.0, 2.0, 3.0), Wait(7.0, has_ended=False)]
    assert summarise(waits) == WaitSummary(
        4, 1, Quantile(2.0), Quantile(7.0, is_beyond=True), Quantile(7.0, is_beyond=True)
    )
