import pytest

from protocol.simulator.catalogue import SCENARIOS, misbehaving, split_brain, working_badly
from protocol.simulator.faults import Bite
from protocol.simulator.invariants import SAFETY, Log
from protocol.simulator.run import Verdict, play
from protocol.simulator.scenario import Behaviour, Partition
from protocol.simulator.world import World

pytestmark = pytest.mark.slow


def test_every_scenario_bears_its_name_and_its_seed() -> None:
    made = {name: make(7) for name, make in SCENARIOS.items()}
    assert {name: one.name for name, one in made.items()} == {name: name for name in SCENARIOS}
    assert {one.seed for one in made.values()} == {7}


@pytest.mark.parametrize(("members", "bad"), [(4, 2), (7, 3), (10, 4)])
def test_a_split_brain_takes_the_fewest_members_that_give_each_half_a_quorum(
    members: int, bad: int
) -> None:
    scenario = split_brain(1, members)
    assert len(scenario.twins) == bad
    (cut,) = scenario.faults
    assert isinstance(cut, Partition)
    assert {node for side in cut.groups for node in side} == set(range(members + bad))
    assert [sum(node in side for node in scenario.honest) for side in cut.groups] == [
        (members - bad) // 2,
        members - bad - (members - bad) // 2,
    ]


@pytest.mark.parametrize(("members", "seed"), [(4, 1), (4, 2), (4, 3), (7, 1)])
def test_a_split_brain_breaks_agreement(members: int, seed: int) -> None:
    outcome = play(split_brain(seed, members))
    assert outcome.verdict is Verdict.SAFETY
    assert "agreement" in {one.invariant for one in outcome.violations}
    assert min(bite.count for bite in outcome.bites) > 5


@pytest.mark.parametrize("behaviour", [Behaviour.LAZY, Behaviour.ERRING])
def test_bad_workers_are_drawn_and_break_no_promise(behaviour: Behaviour) -> None:
    scenario = working_badly(1, behaviour)
    outcome = play(scenario)
    assert outcome.verdict is Verdict.PASS, outcome.violations[:3]
    assert [bite.kind for bite in outcome.bites] == [behaviour.value] * 2
    assert min(bite.count for bite in outcome.bites) > 0


def test_sybils_are_drawn_together_as_one() -> None:
    scenario = SCENARIOS["sybils"](1)
    log = Log(scenario)
    world = World(scenario, (log,))
    log.know(world.accounts)
    world.engine.run(scenario.safety_ns)
    assert [broken for check in SAFETY for broken in check(world, log)] == []
    core = world.nodes[0].core
    assert core is not None
    staked = [core.state.accounts.of(world.accounts[node]).staked for node in range(5, 11)]
    assert sum(staked[1:]) == staked[0] > 0
    drawn = world.adversary.mischief.count(Behaviour.SYBIL, 6)
    assert drawn == world.adversary.mischief.count(Behaviour.SYBIL, 10) > 0


def test_a_misdeed_is_told_among_the_bites() -> None:
    outcome = play(misbehaving(1, Behaviour.SPAMMING))
    assert outcome.bites == (Bite("spamming", outcome.bites[0].count),)
