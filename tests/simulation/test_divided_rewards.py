"""RELIABILITY E5: whatever the sides of a cut believed, final rewards are equal everywhere."""

from dataclasses import replace

import pytest

from protocol.simulator.catalogue import BEGIN_NS, END_NS, split
from protocol.simulator.faults import FaultPlan
from protocol.simulator.log import Log
from protocol.simulator.scenario import Workload
from protocol.simulator.world import World
from protocol.units import SECOND, AccountId

STEP_NS = SECOND // 4
PATIENCE_NS = 120 * SECOND
JOBS = 8


def credits_of(world: World, node: int) -> dict[AccountId, int]:
    """What every account owns as one node's ledger has it."""
    core = world.nodes[node].core
    assert core is not None
    return {
        name: account.available + account.slashable for name, account in core.state.accounts.items()
    }


def distance(one: dict[AccountId, int], other: dict[AccountId, int]) -> int:
    """Sum of all differences."""
    names = dict.fromkeys((*one, *other))
    return sum(abs(one.get(name, 0) - other.get(name, 0)) for name in names)


def everybody_is_done(world: World) -> bool:
    states = [node.core.state for node in world.nodes if node.core is not None]
    settled = all(len(state.jobs) == JOBS and not state.open_jobs for state in states)
    return settled and len({state.index for state in states}) == 1


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize(
    ("groups", "differs"),
    [(((0, 1, 2, 3), (4,)), True), (((0, 1, 2), (3, 4)), False)],
    ids=["4-1", "3-2"],
)
def test_rewards_that_differ_during_a_cut_are_equal_once_they_are_final(
    groups: tuple[tuple[int, ...], ...], differs: bool, seed: int
) -> None:
    scenario = replace(split(seed, *groups), workload=Workload(6, JOBS, END_NS - BEGIN_NS))
    log = Log(scenario)
    world = World(scenario, (log,))
    log.know(world.accounts)
    plan = FaultPlan(world)
    world.engine.run(END_NS)
    apart = distance(credits_of(world, 0), credits_of(world, 4))
    assert (apart > 0) == differs, "only a side with a quorum pays meanwhile"
    end = END_NS
    while not everybody_is_done(world):
        end += STEP_NS
        world.engine.run(end)
        assert end < END_NS + PATIENCE_NS
    assert plan.bites()[0].count > 10
    found = [credits_of(world, node) for node in range(5)]
    assert [distance(found[0], one) for one in found] == [0] * 5
    core = world.nodes[0].core
    assert core is not None
    paid = [payout.amount for job in core.state.jobs.values() for payout in job.payouts]
    assert sum(paid) > 0
