from collections import Counter
from itertools import chain

from protocol.simulator.draw import draw_scenario
from protocol.simulator.draw_faults import LATE_NS, SAFETY_NS
from protocol.simulator.scenario import START_NS, Partition, Scenario, StaleDisk
from protocol.units import SECOND

SEEDS = 500
"""As many as `make simulate` plays."""
CLASSES = 29
LATEST_NS = SAFETY_NS + LATE_NS


def test_a_seed_draws_one_scenario() -> None:
    assert draw_scenario(5) == draw_scenario(5)
    assert draw_scenario(5) != draw_scenario(6)


def test_what_the_network_can_do_without_stays_below_a_third() -> None:
    for seed in range(1, 300):
        scenario = draw_scenario(seed)
        members = range(len(scenario.stakes))
        stale = [one.node for one in scenario.faults if isinstance(one, StaleDisk)]
        bad = {node for node, _ in scenario.behaviours if node in members}
        assert 3 * sum(scenario.stakes[node] for node in bad.union(scenario.twins, stale)) < sum(
            scenario.stakes
        )
        assert len(bad) + len(scenario.twins) + len(stale) == len(bad.union(scenario.twins, stale))


def test_faults_begin_after_the_start_and_end_in_time() -> None:
    for seed in range(1, 300):
        scenario = draw_scenario(seed)
        for fault in scenario.faults:
            assert START_NS < fault.start_ns < fault.end_ns < scenario.safety_ns <= LATEST_NS


def test_a_member_with_an_old_disk_is_back_a_second_before_anything_else_goes_wrong() -> None:
    mixed = 0
    for seed in range(1, 300):
        faults = draw_scenario(seed).faults
        back = [one.end_ns for one in faults if isinstance(one, StaleDisk)]
        later = [one.start_ns for one in faults if not isinstance(one, StaleDisk)]
        mixed += bool(back and later)
        assert all(start >= end + SECOND for start in later for end in back)
    assert mixed > 20


def test_a_partition_divides_all_nodes_and_twins_too() -> None:
    with_twins = 0
    for seed in range(1, 300):
        scenario = draw_scenario(seed)
        for fault in scenario.faults:
            if isinstance(fault, Partition):
                with_twins += bool(scenario.twins)
                assert sorted(chain(*fault.groups)) == list(range(scenario.nodes))
    assert with_twins > 20


def test_each_class_fires_in_a_fifth_of_the_seeds_and_is_alone_in_a_fiftieth() -> None:
    drawn = [kinds_of(draw_scenario(seed)) for seed in range(1, SEEDS + 1)]
    fired = Counter(kind for kinds in drawn for kind in kinds)
    alone = Counter(kind for kinds in drawn if len(kinds) == 1 for kind in kinds)
    assert len(fired) == CLASSES
    assert min(fired.values()) >= 0.2 * SEEDS
    assert min(alone[kind] for kind in fired) >= 0.02 * SEEDS
    assert sum(not kinds for kinds in drawn) == 0.02 * SEEDS


def kinds_of(scenario: Scenario) -> set[str]:
    """Names everything that goes wrong in a scenario."""
    conditions = scenario.conditions
    steady = {
        "loss": conditions.loss_ppm,
        "duplication": conditions.duplicate_ppm,
        "reordering": conditions.reorder_ppm,
        "skew": scenario.skews_ns,
        "twins": scenario.twins,
    }
    return {
        *(type(fault).__name__ for fault in scenario.faults),
        *(behaviour.value for _, behaviour in scenario.behaviours),
        *(name for name, value in steady.items() if value),
    }
