"""Draws only: playing one takes half a minute, and `make simulate` plays twenty."""

from collections import Counter
from itertools import chain

from protocol.simulator.draw_features import MIXED_IN, MIXTURES
from protocol.simulator.draw_large import LENGTH_NS, NODES, draw_large_scenario
from protocol.simulator.scenario import START_NS, Partition, Scenario, StaleDisk
from protocol.units import SECOND
from tests.protocol.simulator.test_draw import CLASSES, kinds_of

DRAWN = [draw_large_scenario(seed) for seed in range(1, MIXTURES + 1)]


def suspects(scenario: Scenario) -> list[int]:
    members = range(len(scenario.stakes))
    stale = [one.node for one in scenario.faults if isinstance(one, StaleDisk)]
    bad = [node for node, _ in scenario.behaviours if node in members]
    return [*bad, *scenario.twins, *stale]


def test_a_large_network_has_twenty_nodes_and_five_minutes() -> None:
    for scenario in DRAWN:
        assert (scenario.originals, scenario.safety_ns) == (NODES, LENGTH_NS)
        assert 3 * sum(scenario.stakes[n] for n in suspects(scenario)) < sum(scenario.stakes)


def test_twenty_seeds_have_each_class_equally_often() -> None:
    fired = Counter(kind for scenario in DRAWN for kind in kinds_of(scenario))
    assert set(fired.values()) == {MIXED_IN}
    assert len(fired) == CLASSES


def test_a_partition_divides_all_nodes_and_twins_too() -> None:
    divided = [
        sorted(chain(*fault.groups)) == list(range(scenario.nodes))
        for scenario in DRAWN
        if scenario.twins
        for fault in scenario.faults
        if isinstance(fault, Partition)
    ]
    assert divided == [True] * len(divided) != []


def test_faults_come_in_waves_from_the_start_to_the_end() -> None:
    for scenario in DRAWN:
        starts = sorted(fault.start_ns for fault in scenario.faults)
        assert starts[0] > START_NS
        assert max(fault.end_ns for fault in scenario.faults) < LENGTH_NS
        assert starts[-1] > LENGTH_NS - 60 * SECOND


def test_an_old_disk_is_back_before_anything_else_goes_wrong() -> None:
    back = 0
    for scenario in DRAWN:
        ends = [one.end_ns for one in scenario.faults if isinstance(one, StaleDisk)]
        others = [one.start_ns for one in scenario.faults if not isinstance(one, StaleDisk)]
        back += len(ends)
        assert all(start >= end + SECOND for start in others for end in ends)
    assert back == MIXED_IN
