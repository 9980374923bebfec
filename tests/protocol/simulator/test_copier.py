from collections import Counter
from functools import cache

import pytest

from protocol.core import Core
from protocol.job.record import Fault, Job
from protocol.simulator.catalogue import copying
from protocol.simulator.invariants import SAFETY, liveness
from protocol.simulator.log import Log
from protocol.simulator.scenario import Behaviour
from protocol.simulator.world import World
from protocol.units import SECOND, AccountId

pytestmark = pytest.mark.slow

SEEDS = range(1, 7)
COPIER = 3


@cache
def played(seed: int) -> tuple[World, Log]:
    """Runs liars and a copier until every job has ended and every pledge is free or lost."""
    scenario = copying(seed)
    log = Log(scenario)
    world = World(scenario, (log,))
    log.know(world.accounts)
    world.engine.run(scenario.safety_ns + scenario.parameters.forfeit_window_ms * 10**6)
    for _ in range(60):
        if not liveness(world, 0):
            break
        world.engine.run(world.engine.now + SECOND)
    return world, log


def jobs_of(world: World) -> list[Job]:
    core = world.nodes[0].core
    assert isinstance(core, Core)
    return list(core.state.jobs.values())


def copier_of(world: World) -> AccountId:
    return world.accounts[COPIER]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_spare_that_copies_is_never_paid(seed: int) -> None:
    world, _ = played(seed)
    copier = copier_of(world)
    jobs = jobs_of(world)
    assert len(jobs) == 8
    assert all(job.terminal for job in jobs)
    assert copier not in {payout.account for job in jobs for payout in job.payouts}
    assert world.adversary.mischief.done[Behaviour.COPYING, COPIER] > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_beside_liars_and_a_copier_no_promise_is_broken(seed: int) -> None:
    world, log = played(seed)
    assert [found for check in SAFETY for found in check(world, log)] == []


def test_a_copier_is_called_at_every_turn_and_only_loses() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        world, _ = played(seed)
        copier = copier_of(world)
        for job in jobs_of(world):
            own = job.executor(copier)
            if own is None:
                continue
            seen[own.duty.value] += 1
            seen["spare"] += own.called_ms > job.executors[0].called_ms
            seen[own.status.value] += 1
            lost = [slash for slash in job.slashes if slash.account == copier]
            seen["slashed"] += bool(lost)
            assert {slash.reason for slash in lost} <= {Fault.UNOPENED_COMMITMENT}
    assert seen["executor"] > 0, seen
    assert seen["spare"] > 0, seen
    assert seen["slashed"] > 0, seen
