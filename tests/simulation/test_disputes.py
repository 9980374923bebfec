"""Disputes in whole simulated networks: the lie is found step by step, and nobody honest pays."""

from dataclasses import replace
from functools import cache

import pytest
from msgspec.structs import replace as with_terms

from protocol.job.dispute import Ground, disputed_step
from protocol.job.record import Fault, Job, Phase
from protocol.simulator import invariants
from protocol.simulator.catalogue import calm
from protocol.simulator.disputes import wrong_disputes
from protocol.simulator.log import Log
from protocol.simulator.scenario import Behaviour, Scenario, Workload
from protocol.simulator.stepped import lying_step
from protocol.simulator.world import World
from protocol.units import SECOND

STEPS = 2_000


def scenario(*behaviours: tuple[int, Behaviour], steps: int = STEPS) -> Scenario:
    quiet = calm(5)
    asked = Workload(0, 10, 20 * SECOND, replicas=(2, 3), spares=(0, 1), steps=steps)
    terms = with_terms(quiet.parameters, jury_size=3)
    return replace(quiet, observers=5, workload=asked, behaviours=behaviours, parameters=terms)


@cache
def played() -> tuple[World, Log]:
    with_liars = scenario((1, Behaviour.LYING), (4, Behaviour.LYING))
    log = Log(with_liars)
    world = World(with_liars, (log,))
    log.know(world.accounts)
    world.engine.run(70 * SECOND)
    return world, log


def jobs(world: World) -> tuple[Job, ...]:
    core = world.live_honest[0].core
    assert core is not None
    return tuple(core.state.jobs.values())


def test_liars_are_found_in_the_step_that_they_did_wrong() -> None:
    world, log = played()
    liars = {world.accounts[node] for node, _ in world.scenario.behaviours}
    disputed = [job for job in jobs(world) if job.disputes]
    assert len(disputed) >= 2, "the liars were drawn beside honest workers"
    for job in disputed:
        (tried,) = job.disputes
        assert tried.verdict is not None
        assert tried.verdict.ground is Ground.STEP
        assert disputed_step(tried).index == lying_step(job.offer)
        assert tried.level == 11
        assert {one.account for one in job.slashes} <= liars
        assert {one.reason for one in job.slashes} <= {Fault.WRONG_RESULT}
        assert bool(job.slashes) == tried.verdict.convicting
        assert job.phase is Phase.SETTLED
    assert any(job.slashes for job in disputed)
    for check in invariants.SAFETY:
        assert check(world, log) == []


@pytest.mark.parametrize("spoilt", ["verdict", "pair", "seed", "slash", "end"])
def test_a_wrong_dispute_is_noticed(spoilt: str) -> None:
    world, _ = played()
    job = next(one for one in jobs(world) if one.slashes)
    (tried,) = job.disputes
    assert tried.verdict is not None
    assert tried.jury is not None
    first, second = tried.sides
    match spoilt:
        case "verdict":
            losers = tuple(1 - at for at in tried.verdict.losers)
            tried = replace(tried, verdict=replace(tried.verdict, losers=losers))
        case "pair":
            opened = (*first.opened[:-2], first.opened[-1], first.opened[-2])
            tried = replace(tried, sides=(replace(first, opened=opened), second))
        case "seed":
            tried = replace(tried, jury=replace(tried.jury, seed=tried.jury.beacon))
        case "slash":
            job = replace(job, slashes=())
        case _:
            tried = replace(tried, verdict=None)
    parameters = world.scenario.parameters
    assert wrong_disputes(replace(job, disputes=(tried,)), parameters)


def test_without_a_liar_nothing_is_disputed() -> None:
    calm_world = World(scenario(), ())
    calm_world.engine.run(30 * SECOND)
    found = jobs(calm_world)
    assert any(job.phase is Phase.SETTLED for job in found)
    assert not any(job.disputes for job in found)
