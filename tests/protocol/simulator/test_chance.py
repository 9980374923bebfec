from protocol.simulator.chance import MILLION, Stream


def test_a_stream_repeats_itself() -> None:
    first, second = Stream(7, "delay", 3), Stream(7, "delay", 3)
    assert [first.below(1_000) for _ in range(50)] == [second.below(1_000) for _ in range(50)]


def test_streams_of_other_nodes_and_purposes_differ() -> None:
    streams = (
        Stream(7, "delay", 3),
        Stream(7, "delay", 4),
        Stream(7, "loss", 3),
        Stream(8, "delay", 3),
    )
    assert len({stream.digest() for stream in streams}) == 4


def test_draws_stay_within_their_bounds() -> None:
    stream = Stream(1, "bounds")
    assert {stream.between(3, 6) for _ in range(200)} == {3, 4, 5, 6}
    assert {stream.below(1) for _ in range(5)} == {0}


def test_probabilities_are_kept() -> None:
    stream = Stream(1, "hits")
    hits = sum(stream.hits(MILLION // 4) for _ in range(10_000))
    assert 2_300 < hits < 2_700
    assert not any(stream.hits(0) for _ in range(100))
    assert all(stream.hits(MILLION) for _ in range(100))


def test_the_long_tail_has_its_mean_and_a_tail() -> None:
    stream = Stream(1, "tail")
    draws = [stream.long_tailed(1_000) for _ in range(20_000)]
    assert 950 < sum(draws) // len(draws) < 1_050
    assert max(draws) > 4_000


def test_a_shuffle_loses_nothing() -> None:
    assert sorted(Stream(1, "order").shuffled(range(9))) == list(range(9))


def test_the_bell_stays_between_its_bounds_and_has_its_middle() -> None:
    stream = Stream(1, "bell")
    draws = [stream.bell(1_000, 3_000) for _ in range(20_000)]
    assert (min(draws), max(draws)) == (1_000, 3_000)
    assert 1_980 < sum(draws) // len(draws) < 2_020
    assert sum(1_500 < one < 2_500 for one in draws) > 15_000


def test_the_skewed_draw_has_its_mean_above_its_median_and_a_tail() -> None:
    stream = Stream(1, "skewed")
    draws = sorted(stream.skewed(1_000) for _ in range(20_000))
    assert 950 < sum(draws) // len(draws) < 1_050
    assert 580 < draws[10_000] < 630
    assert draws[-1] == 8_769
