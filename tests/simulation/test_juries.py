"""Juries in whole simulated networks: who sits, whom they convict, and what checkers notice."""

from dataclasses import replace
from functools import cache

import pytest

from protocol.job.record import Duty, Fault, Job, Status
from protocol.simulator import invariants
from protocol.simulator.catalogue import calm
from protocol.simulator.draw import draw_scenario
from protocol.simulator.log import Log
from protocol.simulator.scenario import Behaviour
from protocol.simulator.world import World
from protocol.units import SECOND

SEED = 38
"""A drawn network with a liar, whose terms ask for one juror."""


@cache
def played() -> tuple[World, Log]:
    scenario = draw_scenario(SEED)
    assert scenario.parameters.jury_size == 1
    assert Behaviour.LYING in dict(scenario.behaviours).values()
    log = Log(scenario)
    world = World(scenario, (log,))
    log.know(world.accounts)
    world.engine.run(40 * SECOND)
    return world, log


def jobs(world: World) -> tuple[Job, ...]:
    core = world.live_honest[0].core
    assert core is not None
    return tuple(core.state.jobs.values())


def jurors(job: Job) -> tuple[Status, ...]:
    return tuple(one.status for one in job.executors if one.duty is Duty.JUROR)


def test_a_liar_in_a_network_is_convicted_by_a_jury_from_outside() -> None:
    world, log = played()
    convicted = [job for job in jobs(world) if job.slashes]
    assert len(convicted) >= 2, "the liar was drawn and contradicted"
    liars = {world.accounts[node] for node, _ in world.scenario.behaviours}
    for job in convicted:
        assert jurors(job) == (Status.REVEALED,)
        assert {one.account for one in job.slashes} <= liars
        assert {one.reason for one in job.slashes} == {Fault.WRONG_RESULT}
    assert invariants.lottery(world, log) == []
    assert invariants.honest_never_slashed(world, log) == []
    assert len(log.rechecked) == len(jobs(world))


@pytest.mark.parametrize("spoilt", ["order", "seed", "called", "verdict"])
def test_a_wrong_jury_is_noticed(spoilt: str) -> None:
    world, log = played()
    core = world.live_honest[0].core
    assert core is not None
    held = core.state._register._jobs
    job = next(one for one in held.values() if one.slashes)
    assert job.jury is not None
    jury, executors = job.jury, job.executors
    if spoilt == "order":
        jury = replace(jury, order=jury.order[::-1])
    elif spoilt == "seed":
        jury = replace(jury, seed=jury.beacon)
    else:
        executors = tuple(one for one in executors if one.duty is not Duty.JUROR)
        if spoilt == "called":
            executors += (replace(job.executors[-1], account=job.requester),)
    log.rechecked.clear()
    held[job.identifier] = replace(job, jury=jury, executors=executors)
    found = [*invariants.lottery(world, log), *invariants.honest_never_slashed(world, log)]
    held[job.identifier] = job
    assert found
    log.rechecked.clear()
    assert invariants.lottery(world, log) == []


def test_without_a_liar_no_jury_sits() -> None:
    scenario = calm(2)
    world = World(replace(scenario, parameters=draw_scenario(SEED).parameters), ())
    world.engine.run(20 * SECOND)
    assert jobs(world)
    assert not any(job.jury for job in jobs(world))
