"""The summary holds every metric, ready for JSON."""

import json

from p2pnode.lab.results import counterfactual, summary_of
from protocol.simulator.catalogue import SCENARIOS
from tests.p2pnode.lab.results.builders import SPLIT, operation, played, sample, tables


def test_a_small_run_by_hand() -> None:
    found = summary_of(
        tables(
            faults=SPLIT,
            operations=operation("a", 0, 1_500.0, {0: 1_900.0}),
            series=[sample(4_000.0, 0, final_index=2), sample(4_000.0, 1, final_index=1)],
        )
    )
    names = ("p50", "p95", "p99")
    waits = {"count": 1, "censored": 0} | {name: {"at_ms": 400.0} for name in names}
    assert found["finality"] == waits
    sides = found["sides"]
    assert isinstance(sides, list)
    assert sides[0]["during"] == {
        "finality": waits,
        "availability": {"attempted": 1, "seen": 1, "in_block": 1, "final": 1},
    }
    stable = {"count": 1, "censored": 1}
    beyond = {name: {"beyond_ms": 2_100.0} for name in names}
    assert found["set_full"] == {"stable_latency": stable | beyond, "lost": 1, "never_final": 0}
    assert found["recovery"] == {
        "healed_ms": 2_000.0,
        "sets_equal": {"at_ms": 0.0},
        "unreachable_blocks": 0,
        "first_finality": [
            {"nodes": [0], "beyond_ms": 2_000.0},
            {"nodes": [1], "beyond_ms": 2_000.0},
        ],
        "backlog": {"beyond_ms": 2_000.0},
    }
    assert found["lag_shares"] == {"1": 0.5, "3": 0.0, "10": 0.0}


def test_a_split_without_a_quorum_is_available_provisionally_only() -> None:
    _, _, found = played("split-3-2")
    summary = summary_of(found, counterfactual(SCENARIOS["split-3-2"](1)))
    json.dumps(summary, allow_nan=False)
    sides = summary["sides"]
    assert isinstance(sides, list)
    for side in sides:
        during = side["during"]["availability"]
        assert during["attempted"] == during["seen"] > 0
        assert during["final"] == 0


def test_rewards_are_compared_with_the_run_without_faults() -> None:
    _, _, found = played("split-3-2")
    rewards = summary_of(found, counterfactual(SCENARIOS["split-3-2"](1)))["rewards"]
    assert isinstance(rewards, dict)
    assert rewards["without_faults"]["distance"] > 0
    same = summary_of(found, found)["rewards"]
    assert isinstance(same, dict)
    assert same["without_faults"]["distance"] == 0
