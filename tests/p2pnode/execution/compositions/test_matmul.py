import numpy as np
import pytest

from p2pnode.execution.compositions.matmul import factors, is_product

SIZE, SEED = 64, 11
FIRST_LEFT = [1, 7, 4, -2, 5, -6, 6, 7]
LAST_RIGHT = [-5, 6, 4, 4, 7, 3, -1, -3]


def product(
    size: int = SIZE, seed: int = SEED
) -> "np.ndarray[tuple[int, int], np.dtype[np.int32]]":
    left, right = factors(size, seed)
    return left.astype(np.int32) @ right.astype(np.int32)


def secrets(size: int = SIZE) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    return np.random.default_rng(3).integers(0, 2**31, (size, 2), dtype=np.int64)


def test_the_factors_are_those_of_all_nodes() -> None:
    left, right = factors(16, 5)
    assert left[0, :8].tolist() == FIRST_LEFT
    assert right[15, 8:].tolist() == LAST_RIGHT
    assert (left.min(), left.max()) == (-8, 7)


def test_each_seed_has_factors_of_its_own() -> None:
    assert not np.array_equal(factors(16, 5)[0], factors(16, 6)[0])
    assert not np.array_equal(*factors(16, 5))


def test_no_partial_sum_is_beyond_what_a_float_holds_exactly() -> None:
    assert 4096 * 8 * 8 < 2**24


def test_a_product_passes() -> None:
    assert is_product(product(), SIZE, SEED, secrets())


@pytest.mark.parametrize("place", [(0, 0), (63, 63), (17, 40)])
@pytest.mark.parametrize("change", [1, -1, 2**30])
def test_a_product_with_one_wrong_entry_fails(place: tuple[int, int], change: int) -> None:
    wrong = product()
    wrong[place] += change
    assert not is_product(wrong, SIZE, SEED, secrets())


def test_a_product_of_another_challenge_fails() -> None:
    assert not is_product(product(seed=SEED + 1), SIZE, SEED, secrets())


def test_a_product_of_another_form_fails() -> None:
    assert not is_product(product(size=32), SIZE, SEED, secrets())
    assert not is_product(product().astype(np.int64), SIZE, SEED, secrets())
