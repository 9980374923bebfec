import decimal
import json
import random
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Misuse
from protocol.job import lottery

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "lottery.json").read_text()
)
SEED = bytes(32)
HIGHEST = 2**64 - 1
CRITICAL = {2: 18.421, 7: 29.878, 19: 50.795}
"""Chi-square that chance exceeds once in 10,000 times, by degrees of freedom."""

seeds = st.binary(min_size=32, max_size=32)
weight_values = st.one_of(st.integers(1, HIGHEST), st.integers(1, 20), st.just(HIGHEST))
weight_maps = st.dictionaries(seeds, weight_values, min_size=1, max_size=25)


def account(number: int) -> bytes:
    return bytes([number]) * 32


def trial_seed(number: int) -> bytes:
    return number.to_bytes(32, "big")


def plain_draw(seed: bytes, weights: Mapping[bytes, int], count: int) -> tuple[bytes, ...]:
    """Draw without any shortcut: score everyone, sort, cut."""
    scores = sorted((lottery.score(seed, name, weight), name) for name, weight in weights.items())
    return tuple(name for _, name in scores[:count])


def chi_square(observed: list[int], expected: list[float]) -> float:
    assert len(observed) == len(expected)
    return sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True))


def real_units(number: int) -> Decimal:
    with decimal.localcontext(prec=60):
        return (64 - Decimal(number + 1).ln() / Decimal(2).ln()) * 2**40


def test_the_golden_draw_is_reproduced() -> None:
    weights = {account(i): i + 1 for i in range(10)}
    assert lottery.draw(SEED, weights, 4) == tuple(map(account, (5, 7, 8, 6)))


@pytest.mark.parametrize("case", VECTORS["draws"], ids=lambda case: case["case"])
def test_the_draws_of_the_vectors_are_reproduced(case: dict[str, Any]) -> None:
    weights = {bytes.fromhex(name): int(weight) for name, weight in case["weights"]}
    drawn = lottery.draw(bytes.fromhex(case["seed"]), weights, case["count"])
    assert [name.hex() for name in drawn] == case["drawn"]


@pytest.mark.parametrize("case", VECTORS["scores"], ids=lambda case: case["weight"])
def test_the_scores_of_the_vectors_are_reproduced(case: dict[str, str]) -> None:
    seed, identifier = bytes.fromhex(case["seed"]), bytes.fromhex(case["identifier"])
    assert lottery.score(seed, identifier, int(case["weight"])) == int(case["score"])


@pytest.mark.parametrize("case", VECTORS["negative_log2"], ids=lambda case: case["number"])
def test_the_logarithms_of_the_vectors_are_reproduced(case: dict[str, str]) -> None:
    assert lottery.negative_log2(int(case["number"])) == int(case["value"])


def test_the_logarithm_is_exact_at_powers_of_two() -> None:
    whole = 2**40
    assert lottery.negative_log2(0) == 64 * whole
    assert lottery.negative_log2(2**63 - 1) == whole
    assert lottery.negative_log2(2**63) == whole
    assert lottery.negative_log2(2**63 - 1 + 2**24) == whole - 2
    assert lottery.negative_log2(HIGHEST - 1) == 1
    assert lottery.negative_log2(HIGHEST) == 0


@given(st.one_of(st.integers(0, HIGHEST), st.integers(0, 63).map(lambda bit: 2**bit)))
@settings(max_examples=100, deadline=None)
def test_the_logarithm_is_the_real_one_rounded_up(number: int) -> None:
    excess = lottery.negative_log2(number) - real_units(number)
    assert -(Decimal(10) ** -30) < excess < 1 + Decimal(10) ** -4


@given(st.one_of(st.integers(0, HIGHEST), st.integers(0, 63).map(lambda bit: 2**bit)))
def test_the_bounds_of_the_shortcut_enclose_the_logarithm(number: int) -> None:
    low, high = lottery._logarithm_bounds(number)
    assert low <= lottery.negative_log2(number) <= high


@given(st.integers(0, HIGHEST), st.integers(0, HIGHEST))
def test_a_higher_number_never_has_a_higher_logarithm(first: int, second: int) -> None:
    low, high = sorted((first, second))
    assert lottery.negative_log2(low) >= lottery.negative_log2(high)


@given(seeds, weight_maps, st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_the_shortcut_draws_the_same_as_the_plain_way(
    seed: bytes, weights: dict[bytes, int], count: int
) -> None:
    assert lottery.draw(seed, weights, count) == plain_draw(seed, weights, count)


def test_the_shortcut_draws_the_same_among_many_and_computes_few_logarithms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = {trial_seed(i): i % 97 + 1 for i in range(1000)}
    expected = plain_draw(SEED, weights, 5)
    computed: list[int] = []
    original = lottery.negative_log2

    def counted(number: int) -> int:
        computed.append(number)
        return original(number)

    monkeypatch.setattr(lottery, "negative_log2", counted)
    assert lottery.draw(SEED, weights, 5) == expected
    assert 5 <= len(computed) < 200


def test_equal_scores_are_ordered_by_identifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lottery, "_uniform", lambda *_: HIGHEST)
    weights = {account(i): i for i in (3, 1, 2, 4)}
    assert {lottery.score(SEED, name, weight) for name, weight in weights.items()} == {0}
    assert lottery.draw(SEED, weights, 3) == (account(1), account(2), account(3))


@pytest.mark.parametrize("number", [0, 2**63, HIGHEST])
def test_edge_hashes_draw_the_heavier_account_first(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lottery, "_uniform", lambda *_: number)
    weights = {account(1): 1, account(2): HIGHEST}
    expected = (account(1), account(2)) if number == HIGHEST else (account(2), account(1))
    assert lottery.draw(SEED, weights, 2) == plain_draw(SEED, weights, 2) == expected


@given(seeds, weight_maps, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_accounts_has_no_influence(
    seed: bytes, weights: dict[bytes, int], shuffler: random.Random
) -> None:
    entries = list(weights.items())
    shuffler.shuffle(entries)
    assert lottery.draw(seed, dict(entries), 5) == lottery.draw(seed, weights, 5)


@given(seeds, weight_maps, st.integers(1, 24))
@settings(max_examples=50, deadline=None)
def test_a_smaller_draw_is_a_prefix_of_a_larger_one(
    seed: bytes, weights: dict[bytes, int], count: int
) -> None:
    assert lottery.draw(seed, weights, count) == lottery.draw(seed, weights, 25)[:count]


@given(seeds, weight_maps, seeds, weight_values)
@settings(max_examples=50, deadline=None)
def test_one_account_more_or_less_keeps_the_order_of_the_others(
    seed: bytes, weights: dict[bytes, int], newcomer: bytes, weight: int
) -> None:
    without = {name: value for name, value in weights.items() if name != newcomer}
    joined = lottery.draw(seed, without | {newcomer: weight}, 30)
    assert newcomer in joined
    assert tuple(name for name in joined if name != newcomer) == lottery.draw(seed, without, 30)


@given(seeds, weight_maps)
@settings(max_examples=50, deadline=None)
def test_more_seats_than_accounts_draws_everyone_once(
    seed: bytes, weights: dict[bytes, int]
) -> None:
    drawn = lottery.draw(seed, weights, 1000)
    assert len(drawn) == len(weights)
    assert set(drawn) == set(weights)


def test_nobody_is_drawn_from_nobody() -> None:
    assert lottery.draw(SEED, {}, 3) == ()


def test_the_first_place_is_drawn_in_proportion_to_weight() -> None:
    weights = {account(i): i for i in range(1, 9)}
    rounds = 4000
    wins = Counter(lottery.draw(trial_seed(i), weights, 1)[0] for i in range(rounds))
    observed = [wins[name] for name in weights]
    expected = [rounds * weight / 36 for weight in weights.values()]
    assert chi_square(observed, expected) < CRITICAL[7]
    # The same test tells apart a draw that ignores weights.
    assert chi_square(observed, [rounds / 8] * 8) > 10 * CRITICAL[7]


def test_ordered_pairs_follow_successive_draws_without_replacement() -> None:
    weights = {account(i): i for i in range(1, 6)}
    rounds = 4000
    pairs = Counter(lottery.draw(trial_seed(i), weights, 2) for i in range(rounds))
    cells = list(permutations(weights, 2))
    first_shares = [weights[first] / 15 for first, _ in cells]
    expected = [
        rounds * share * weights[second] / (15 - weights[first])
        for share, (first, second) in zip(first_shares, cells, strict=True)
    ]
    observed = [pairs[cell] for cell in cells]
    assert sum(observed) == rounds
    assert chi_square(observed, expected) < CRITICAL[19]
    # The same test tells apart a second place drawn without regard to weight.
    careless = [rounds * share / 4 for share in first_shares]
    assert chi_square(observed, careless) > 2 * CRITICAL[19]


def test_splitting_a_weight_over_several_accounts_wins_no_more_often() -> None:
    rounds = 3000
    whole = {account(1): 30, account(9): 70}
    split = {account(1): 10, account(2): 10, account(3): 10, account(9): 70}
    for weights in (whole, split):
        lost = sum(lottery.draw(trial_seed(i), weights, 1) == (account(9),) for i in range(rounds))
        # One degree of freedom, judged by the laxer bound of two.
        observed = [rounds - lost, lost]
        assert chi_square(observed, [rounds * 0.3, rounds * 0.7]) < CRITICAL[2]


def test_the_lowest_weight_never_beats_the_highest() -> None:
    weights = {account(1): 1, account(2): HIGHEST}
    firsts = Counter(lottery.draw(trial_seed(i), weights, 2) for i in range(1000))
    assert firsts == {(account(2), account(1)): 1000}


def test_equal_extreme_weights_still_draw_by_seed() -> None:
    for weight in (1, HIGHEST):
        weights = {account(i): weight for i in range(4)}
        orders = {lottery.draw(trial_seed(i), weights, 4) for i in range(500)}
        assert len(orders) == 24


@pytest.mark.parametrize("weight", [0, -1, 2**64, True, False, 1.0, "1", None])
def test_a_weight_out_of_range_or_of_another_type_is_misuse(weight: Any) -> None:
    with pytest.raises(Misuse):
        lottery.draw(SEED, {account(1): 1, account(2): weight}, 1)
    with pytest.raises(Misuse):
        lottery.score(SEED, account(2), weight)


@pytest.mark.parametrize("size", [0, 31, 33, 64, 65])
def test_a_seed_or_identifier_of_another_length_is_misuse(size: int) -> None:
    with pytest.raises(Misuse):
        lottery.draw(bytes(size), {account(1): 1}, 1)
    with pytest.raises(Misuse):
        lottery.draw(bytes(size), {}, 1)
    with pytest.raises(Misuse):
        lottery.score(bytes(size), account(1), 1)
    with pytest.raises(Misuse):
        lottery.draw(SEED, {account(1): 1, bytes(size): 1}, 1)
    with pytest.raises(Misuse):
        lottery.score(SEED, bytes(size), 1)


@pytest.mark.parametrize("count", [0, -1, True, 1.0])
def test_a_count_that_is_no_positive_integer_is_misuse(count: Any) -> None:
    with pytest.raises(Misuse):
        lottery.draw(SEED, {account(1): 1}, count)
