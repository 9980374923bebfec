"""Workers that are gone with an accepted output, in whole simulated networks."""

from dataclasses import dataclass, field, replace

import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.claims import Unavailable
from protocol.encoding import decode
from protocol.job.delivery import CHECKERS, FAILURES, checkers
from protocol.job.record import Ending, Job, Phase
from protocol.messages import OPERATION_BYTES_MAX, Operation, SignedOperation
from protocol.simulator.catalogue import calm
from protocol.simulator.invariants import wrong_balances, wrong_settlements
from protocol.simulator.scenario import Scenario, Workload
from protocol.simulator.world import World
from protocol.units import MILLISECOND, SECOND

pytestmark = pytest.mark.slow

RETENTION_MS = 30_000
STEP_NS = 100 * MILLISECOND


@dataclass
class Claims:
    """Notes who says that an output cannot be fetched."""

    said: list[int] = field(default_factory=list)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """What nodes say is looked at."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if isinstance(effect, fx.PersistOperation):
            body = decode(effect.raw, SignedOperation, OPERATION_BYTES_MAX).body
            if isinstance(decode(body, Operation, OPERATION_BYTES_MAX).payload, Unavailable):
                self.said.append(node)


def scenario() -> Scenario:
    """One job of two replicas among seven members, of whom two may be gone."""
    work = Workload(
        0,
        1,
        SECOND,
        replicas=(2, 2),
        spares=(0, 0),
        tolerated_errors_ppm=(50_000,),
        retention_ms=RETENTION_MS,
    )
    return replace(calm(2, members=7), workload=work)


def job_at(world: World) -> Job | None:
    """The job as some node that is up knows it."""
    cores = [node.core for node in world.live_honest if node.core is not None]
    return next((job for core in cores[-1:] for job in core.state.jobs.values()), None)


def settled(claims: Claims) -> tuple[World, Job]:
    world = World(scenario(), (claims,))
    for _ in range(40 * SECOND // STEP_NS):
        world.engine.run(world.engine.now + STEP_NS)
        job = job_at(world)
        if job is not None and job.phase is Phase.SETTLED:
            return world, job
    raise AssertionError("the job does not settle")


@pytest.mark.parametrize("are_gone", [True, False])
def test_workers_that_are_gone_with_their_output_are_unpaid_and_others_are_paid(
    are_gone: bool,
) -> None:
    claims = Claims()
    world, job = settled(claims)
    assert job.delivering
    members = job.groups[0].members
    assert len(members) == 2, "five of seven go on without them"
    if are_gone:
        for account in members:
            world.crash(world.accounts.index(account), keeps_last_batch=True)
    world.engine.run(world.engine.now + 90 * SECOND)
    after = job_at(world)
    assert after is not None
    assert not after.delivering
    if are_gone:
        requester = world.accounts.index(job.requester)
        assert claims.said.count(requester) == 1, "the fault was noticed"
        assert len(claims.said) >= 1 + FAILURES
        assert len(checkers(after)) == CHECKERS
        assert (after.ending, after.payouts) == (Ending.UNDELIVERED, ())
    else:
        assert claims.said == []
        assert (after.ending, after.payouts) == (Ending.ACCEPTED, job.payouts)
    copies = [(n, one.core) for n, one in enumerate(world.nodes) if one.core is not None]
    assert wrong_balances(copies) == wrong_settlements(copies) == []
    assert len({core.state.jobs[job.identifier].ending for _, core in copies}) == 1
