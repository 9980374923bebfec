from protocol.simulator.draw import draw_scenario
from protocol.simulator.draw_faults import SAFETY_NS
from protocol.simulator.scenario import START_NS, Scenario, StaleDisk

SEEDS = 2_000
MIXED_KINDS = {
    "Partition",
    "Cut",
    "SlowLink",
    "Clog",
    "LossBurst",
    "DuplicateBurst",
    "ReorderBurst",
    "Crash",
    "Pause",
    "ClockJump",
    "StoreFailure",
    "TornWrite",
    "loss",
    "duplication",
    "reordering",
    "skew",
}
"""What any node or link can suffer; the rest takes a member that the network can do without."""


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
        for fault in draw_scenario(seed).faults:
            assert START_NS < fault.start_ns < fault.end_ns < SAFETY_NS


def test_every_kind_of_fault_is_drawn_and_is_alone_in_some() -> None:
    seen: dict[str, int] = {}
    alone: dict[str, int] = {}
    for seed in range(1, SEEDS + 1):
        kinds = kinds_of(draw_scenario(seed))
        for kind in kinds:
            seen[kind] = seen.get(kind, 0) + 1
            alone[kind] = alone.get(kind, 0) + (len(kinds) == 1)
    assert len(seen) == 26
    assert min(seen[kind] for kind in seen if kind in MIXED_KINDS) >= 0.18 * SEEDS
    assert min(seen.values()) >= 0.015 * SEEDS
    assert min(alone.values()) >= 0.012 * SEEDS


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
