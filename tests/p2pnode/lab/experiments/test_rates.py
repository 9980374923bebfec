"""Wilson's interval, against published values."""

import pytest

from p2pnode.lab.experiments.rates import mean, rate, wilson


@pytest.mark.parametrize(
    ("hits", "trials", "interval"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611))],
)
def test_the_interval_is_the_published_one(
    hits: int, trials: int, interval: tuple[float, float]
) -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3, for 95 %."""
    found = wilson(hits, trials, 1.959964)
    assert tuple(round(one, 4) for one in found) == interval


def test_a_rate_lies_in_its_interval_and_keeps_what_it_was_counted_from() -> None:
    found = rate(81, 263, 7)
    assert (found.value, found.trials, found.bites) == (81 / 263, 263, 7)
    assert (found.low, found.high) == wilson(81, 263, 2.575829)
    assert (rate(20, 20, 1).high, rate(0, 26_100, 1).low) == (1, 0)


def test_a_mean_has_an_interval_that_narrows_with_the_trials() -> None:
    found = mean([10, 12, 14], 3)
    assert (found.value, found.trials, found.bites) == (12, 3, 3)
    assert found.high - 12 == pytest.approx(2.575829 * 2 / 3**0.5)
    assert 12 - found.low == pytest.approx(found.high - 12)
    assert mean([10, 12, 14] * 4, 3).high < found.high
