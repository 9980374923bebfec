import typing
from pathlib import Path

import pytest

from p2pnode.lab.simulation.checks import warnings
from p2pnode.lab.simulation.library import (
    ScenarioError,
    copy_shipped,
    load_scenario,
    parse_scenario,
    shipped_files,
    shipped_scenarios,
)
from p2pnode.lab.simulation.playing import is_as_expected
from p2pnode.lab.simulation.scenario_file import document_of
from p2pnode.lab.simulation.toml_writer import write_toml
from protocol.simulator.draw import draw_scenario
from protocol.simulator.overlay.parameters import Strategy
from protocol.simulator.run import play
from protocol.simulator.scenario import Behaviour, Fault
from tests.p2pnode.lab.simulation.builders import text

NAMES = [path.stem for path in shipped_files()]
SEED = 1


def test_every_fault_and_every_behaviour_of_the_simulator_has_a_shipped_scenario() -> None:
    scenarios = [one.scenario for one in shipped_scenarios()]
    faults = {type(fault) for one in scenarios for fault in one.faults}
    behaviours = {behaviour for one in scenarios for _, behaviour in one.behaviours}
    assert faults == set(typing.get_args(Fault))
    assert behaviours == set(Behaviour) - {Behaviour.HONEST}
    assert any(one.twins for one in scenarios)
    overlays = {one.overlay.strategy for one in scenarios if one.overlay is not None}
    assert overlays == {Strategy.FLOOD, Strategy.GOSSIPSUB}
    assert any(one.conditions.loss_ppm and one.conditions.duplicate_ppm for one in scenarios)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_scenario_says_what_it_shows_and_looks_like_no_mistake(name: str) -> None:
    described = load_scenario(name)
    assert described.scenario.name == name
    assert len(described.about) > 100
    assert list(warnings(described)) == []
    assert not described.overlaps


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_scenario_comes_to_what_it_says_and_its_faults_bite(name: str) -> None:
    described = load_scenario(name, SEED)
    outcome = play(described.scenario)
    assert is_as_expected(described, outcome), (outcome.verdict, outcome.violations[:3])
    assert all(bite.count for bite in outcome.bites), outcome.bites
    assert len(outcome.bites) > 0 or name == "calm"


def test_the_scenario_that_a_seed_draws_has_a_name_too() -> None:
    assert draw_scenario(6).conditions.region_delays_ns
    assert load_scenario("swarm", 6).scenario == draw_scenario(6)


def test_regions_that_a_seed_draws_are_as_a_file_may_have_them() -> None:
    assert draw_scenario(8).conditions.regions
    for seed in (1, 8):
        described = load_scenario("swarm", seed)
        assert parse_scenario(write_toml(document_of(described))).scenario == described.scenario


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text(name="mine"))
    assert load_scenario(path).scenario.name == "mine"
    assert load_scenario(str(path), 5).scenario.seed == 5


def test_a_name_that_is_none_is_answered_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'split-3-2'"):
        load_scenario("split-3-3")


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        load_scenario(tmp_path / "gone.toml")
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(ScenarioError, match=r"bad\.toml"):
        load_scenario(tmp_path / "bad.toml")


def test_shipped_files_are_copied_once(tmp_path: Path) -> None:
    copies = copy_shipped(tmp_path / "mine")
    assert [path.stem for path in copies] == NAMES
    assert load_scenario(copies[0]) == load_scenario(NAMES[0])
    with pytest.raises(ScenarioError, match="exists already"):
        copy_shipped(tmp_path / "mine")


def test_scenarios_are_not_copied_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ScenarioError, match="name another folder"):
        copy_shipped(tmp_path / "file")
