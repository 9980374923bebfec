from protocol.simulator.draw import SAFETY_NS, draw_scenario
from protocol.simulator.scenario import START_NS


def test_a_seed_draws_one_scenario() -> None:
    assert draw_scenario(5) == draw_scenario(5)
    assert draw_scenario(5) != draw_scenario(6)


def test_dishonest_stake_stays_below_a_third() -> None:
    for seed in range(1, 300):
        scenario = draw_scenario(seed)
        members = range(len(scenario.stakes))
        bad = sum(scenario.stakes[node] for node, _ in scenario.behaviours if node in members)
        assert 3 * bad < sum(scenario.stakes)


def test_faults_begin_after_the_start_and_end_in_time() -> None:
    for seed in range(1, 300):
        for fault in draw_scenario(seed).faults:
            assert START_NS < fault.start_ns < fault.end_ns < SAFETY_NS


def test_every_kind_of_fault_is_drawn_and_is_alone_in_some() -> None:
    seen: dict[str, int] = {}
    alone: dict[str, int] = {}
    for seed in range(1, 501):
        scenario = draw_scenario(seed)
        kinds = [type(fault).__name__ for fault in scenario.faults]
        kinds += [behaviour.value for _, behaviour in scenario.behaviours[:1]]
        for kind in set(kinds):
            seen[kind] = seen.get(kind, 0) + 1
            alone[kind] = alone.get(kind, 0) + (len(kinds) == 1)
    assert len(seen) == 11
    assert min(seen.values()) >= 40
    assert min(alone.values()) >= 10
