from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnode.money import AMOUNT_MAX, MoneyError, format_credits, in_credits, parse_credits


@given(st.integers(0, AMOUNT_MAX))
def test_what_is_written_is_read_back_exactly(amount: int) -> None:
    assert parse_credits(format_credits(amount)) == amount


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("1", 1_000_000),
        ("0.1", 100_000),
        ("0.000001", 1),
        (" 2.5 ", 2_500_000),
        (3, 3_000_000),
        (Decimal("0.30"), 300_000),
        (Decimal("1E+2"), 100_000_000),
        (Decimal("0.1000000"), 100_000),
    ],
)
def test_amounts_are_read_exactly(written: str | int | Decimal, amount: int) -> None:
    assert parse_credits(written) == amount


@pytest.mark.parametrize(
    "written",
    ["", "-1", "+1", "1e3", ".5", "1.", "0.0000001", "1,5", "nan", "١", "1_000", True, -1,
     Decimal("Infinity"), Decimal("1E+30"), "9007199255"],
)  # fmt: skip
def test_what_is_no_exact_amount_is_refused(written: str | int | Decimal) -> None:
    with pytest.raises(MoneyError):
        parse_credits(written)


def test_negative_amounts_can_be_shown() -> None:
    assert format_credits(-1_500_000) == "-1.5"


def test_the_amounts_of_a_sentence_are_shown_as_credits() -> None:
    assert in_credits("4000005002000 millionths short") == "4000005.002 credits short"
    assert in_credits("at least 158813 millionths") == "at least 0.158813 credits"
    assert in_credits("1 millionths, then 20 rounds") == "0.000001 credits, then 20 rounds"
    assert in_credits("7 in all") == "7 in all"
