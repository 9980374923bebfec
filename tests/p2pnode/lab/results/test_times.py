"""Times are cut, never rounded up."""

from p2pnode.lab.results.times import known_ms, middle, to_ms


def test_nanoseconds_are_cut_to_microseconds() -> None:
    assert (to_ms(1_234_567_999), known_ms(999), known_ms(None)) == (1_234.567, 0.0, None)


def test_the_middle_is_where_half_has_passed() -> None:
    assert [middle(range(count)) for count in (1, 2, 3, 4, 5)] == [0, 0, 1, 1, 2]
