"""The manifest spells everything out."""

import json
from dataclasses import replace

from p2pnode import __version__
from p2pnode.lab.results import checks_to_json, manifest_of, scenario_to_json
from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.checks import Check, Result
from protocol.simulator.scenario import Cut, Partition
from tests.p2pnode.lab.results.builders import played


def test_a_manifest_says_what_was_run_and_what_became_of_it() -> None:
    collector, outcome, _ = played("split-3-2")
    found = manifest_of(collector, outcome, 12.5, commit="abc")
    scenario = found.pop("scenario")
    assert scenario == scenario_to_json(outcome.scenario)
    assert found == {
        "source": "simulator",
        "name": "split-3-2",
        "seed": 1,
        "version": __version__,
        "commit": "abc",
        "trace": outcome.trace,
        "outcome": "pass",
        "checks": list(checks_to_json(outcome.checks)),
        "violations": [],
        "nodes": 5,
        "honest": [0, 1, 2, 3, 4],
        "virtual_ms": 14_500.0,
        "wall_ms": 12.5,
        "dropped": {},
    }
    json.dumps(found)


def test_a_scenario_names_the_class_of_each_fault() -> None:
    scenario = replace(
        SCENARIOS["calm"](1), faults=(Partition(1, 2, ((0,), (1,))), Cut(3, 4, ((0, 1),)))
    )
    assert scenario_to_json(scenario)["faults"] == [
        {"class": "Partition", "start_ns": 1, "end_ns": 2, "groups": [[0], [1]]},
        {"class": "Cut", "start_ns": 3, "end_ns": 4, "pairs": [[0, 1]]},
    ]


def test_a_scenario_is_ready_for_json_with_all_its_parameters() -> None:
    scenario = SCENARIOS["lying"](3)
    found = json.loads(json.dumps(scenario_to_json(scenario)))
    assert found["behaviours"] == [[1, "lying"]]
    assert found["conditions"]["delay"]["law"] == "uniform"
    assert found["parameters"]["gc_depth_rounds"] == scenario.parameters.gc_depth_rounds


def test_checks_are_spelled_out() -> None:
    found = checks_to_json([Check("lottery", Result.UNKNOWN, "nobody was drawn")])
    assert found == ({"name": "lottery", "result": "unknown", "reason": "nobody was drawn"},)
