"""Known answers, at sizes that take a second; the functions take larger ones."""

from protocol.simulator.overlay.experiments import infection, published_gossipsub, push_rounds


def test_a_pushed_rumour_takes_log_2_n_and_ln_n_rounds_and_one_or_two() -> None:
    means = []
    for count, known in ((100, 11_300), (1_000, 16_900)):
        rounds = [push_rounds(count, seed) for seed in range(1, 11)]
        means.append(sum(rounds) * 1_000 // len(rounds))
        assert 0 <= means[-1] - known <= 3_000
    assert 4_300 <= means[1] - means[0] <= 7_000, "a factor of ten adds 5.6 rounds"


def test_whoever_is_told_by_few_is_missed_by_the_share_that_theory_says() -> None:
    for fan_out, known_ppm in ((3, 59_500), (4, 19_800)):
        found = infection(1_000, fan_out, 20, 1)
        missed_ppm = (found.wanted - found.delivered) * 1_000_000 // found.wanted
        assert abs(missed_ppm - known_ppm) * 10 < known_ppm, (fan_out, missed_ppm)


def test_gossipsub_delivers_about_as_fast_as_its_author_found() -> None:
    found = published_gossipsub(300, 20, 4)
    assert found.delivered == found.wanted == 20 * 299
    assert 5_000 <= found.copies_per_thousand <= 7_600
    first, second, third, *rest = found.shares_ppm
    assert first < second
    assert second + third > 850_000
    assert sum(rest) < 60_000
    assert dict(found.controls)["iwant"] > 0
    assert found.events == found.copies + sum(count for _, count in found.controls)
