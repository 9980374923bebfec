import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnode.lab.simulation.units import (
    BIT_RATE,
    BYTE_RATE,
    MILLISECONDS,
    SHARE,
    SIZE,
    TIME,
    Dimension,
    dimension_of,
    read_quantity,
    write_quantity,
)

DIMENSIONS = (BIT_RATE, BYTE_RATE, MILLISECONDS, SHARE, SIZE, TIME)


@pytest.mark.parametrize(
    ("text", "dimension", "number"),
    [
        ("250 ms", TIME, 250_000_000),
        ("1.5s", TIME, 1_500_000_000),
        ("-2 s", TIME, -2_000_000_000),
        ("2 min", MILLISECONDS, 120_000),
        ("5 %", SHARE, 50_000),
        ("0.0001 %", SHARE, 1),
        ("200 ppm", SHARE, 200),
        ("64 KiB", SIZE, 65_536),
        ("64 kbit/s", BIT_RATE, 64_000),
        ("8 kB/s", BYTE_RATE, 8_000),
    ],
)
def test_a_quantity_is_read_with_its_unit(text: str, dimension: Dimension, number: int) -> None:
    assert read_quantity(text, dimension) == number


@given(st.sampled_from(DIMENSIONS), st.integers(0, 10**6) | st.integers(0, 2**61))
def test_what_is_written_reads_as_the_same_number(dimension: Dimension, number: int) -> None:
    number = min(number, dimension.largest)
    assert read_quantity(write_quantity(number, dimension), dimension) == number


def test_the_largest_exact_unit_is_written() -> None:
    assert write_quantity(90_000_000_000, TIME) == "90 s"
    assert write_quantity(120_000_000_000, TIME) == "2 min"
    assert write_quantity(1_000_001, TIME) == "1000001 ns"
    assert write_quantity(0, TIME) == "0 ns"


@pytest.mark.parametrize("value", [5, "5", "5 parsec", "five s", "", None, "1e3 s", "5 s s"])
def test_a_quantity_without_a_known_unit_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(ValueError, match=r"expected a time with its unit, such as '250 ms'"):
        read_quantity(value, TIME)


def test_nothing_is_rounded() -> None:
    with pytest.raises(ValueError, match=r"'0\.5 ns' is no whole number of ns"):
        read_quantity("0.5 ns", TIME)


def test_a_share_above_the_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="'101 %' is out of range: the largest is 100 %"):
        read_quantity("101 %", SHARE)


def test_the_end_of_a_name_tells_the_dimension() -> None:
    assert dimension_of("safety_ns") == ("safety", TIME)
    assert dimension_of("rate_bytes_per_second") == ("rate", BYTE_RATE)
    assert dimension_of("size_bytes") == ("size", SIZE)
    assert dimension_of("node") == ("node", None)
