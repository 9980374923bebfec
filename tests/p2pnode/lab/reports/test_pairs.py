"""What the plots of a comparison are drawn from."""

import math
from typing import Any

from p2pnode.lab.reports.pairs import cell_spots, differ, ended
from p2pnode.lab.results.survival import Quantile
from p2pnode.lab.simulation.comparing import Both, Key

BEYOND = {"beyond_ms": 9.0}


def keyed(both: list[Both]) -> dict[Key, Both]:
    """Pairs of cell 0, by seed."""
    return {("0", seed): one for seed, one in enumerate(both)}


def rows(pairs: dict[Key, Both]) -> dict[Key, dict[str, Any]]:
    return {key: {"cell": int(key[0]), "changes": {"x": f"{key[0]} s"}} for key in pairs}


def test_pairs_differ_when_one_does_and_what_never_happened_twice_does_not() -> None:
    assert not differ(keyed([(1, 1), (BEYOND, BEYOND)]))
    assert differ(keyed([(1, 1), (1, BEYOND)]))
    assert differ(keyed([(1, 1), (1, 2)]))


def test_points_are_pairs_with_a_number_on_both_sides() -> None:
    assert ended(keyed([(1, 2), (BEYOND, 3), (4, BEYOND), (5, 5)])) == [(1, 2), (5, 5)]


def test_each_cell_has_its_median_of_times_and_its_mean_of_all_else() -> None:
    times: dict[Key, Both] = {
        ("1", 0): (1, 2),
        ("0", 0): (1, 1),
        ("0", 1): (1, 4),
        ("0", 2): (1, 90),
    }
    spots, missing = cell_spots("recovery_backlog_ms", times, rows(times), ("x",))
    assert missing == 0
    assert [(one.values, one.over.middle, one.over.ends) for one in spots] == [
        (("0 s",), Quantile(3), None),
        (("1 s",), Quantile(1), None),
    ]
    counts = keyed([(0, 0), (0, 0), (0, 0), (0, 0), (0, 5)])
    (spot,), _ = cell_spots("double_executions", counts, rows(counts), ("x",))
    assert spot.over.middle == Quantile(1)
    assert spot.over.ends is not None
    assert 0 == spot.over.ends[0].time_ms < 1 < spot.over.ends[1].time_ms <= 5


def test_a_cell_without_an_end_is_left_out_and_an_endless_interval_is_marked() -> None:
    never: dict[Key, Both] = {("0", 0): (1, BEYOND), ("1", 0): (1, 2)}
    spots, missing = cell_spots("recovery_backlog_ms", never, rows(never), ("x",))
    assert ([one.values for one in spots], missing) == ([("1 s",)], 1)
    some: list[Both] = [(1, 2), (1, 3), (1, 4), (1, BEYOND), (1, BEYOND)]
    pairs = keyed(some)
    (spot,), missing = cell_spots("recovery_backlog_ms", pairs, rows(pairs), ("x",))
    assert (spot.over.middle, missing) == (Quantile(3), 0)
    assert spot.over.ends is not None
    assert spot.over.ends[1] == Quantile(3, is_beyond=True)
    assert math.isfinite(spot.over.ends[0].time_ms)
