"""Nodes that start again from a snapshot, epochs after genesis, and go on as if they had not."""

from dataclasses import dataclass, field, replace

import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import decode
from protocol.job.record import Status
from protocol.messages import Block, SignedBlock
from protocol.simulator.invariants import SAFETY
from protocol.simulator.scenario import Crash
from protocol.units import SECOND
from tests.support.epoch_trace import Run, losing

pytestmark = pytest.mark.slow

OUTAGES = ((7, 1, 0), (9, 2, 1), (12.4, 0.4, 2), (15, 6, 3), (18.2, 1, 4), (23, 1, 0), (28, 2, 5))
"""Second, length and node: in the middle of epochs, across ends, twice the same node."""


@dataclass
class Starts:
    """The epochs of the blocks that each start took from its store."""

    epochs: dict[tuple[int, int], set[int]] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        if isinstance(event, ev.BlocksRestored):
            bodies = [decode(raw, SignedBlock, 10**7).body for raw in event.blocks]
            epochs = {decode(body, Block, 10**6).epoch for body in bodies}
            self.epochs.setdefault((time // SECOND, node), set()).update(epochs)

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        pass


def crashing(seed: int, jobs: int = 0) -> tuple[Run, Starts]:
    faults = tuple(
        Crash(int(start * SECOND), int((start + length) * SECOND), node)
        for start, length, node in OUTAGES
    )
    scenario = replace(losing(faults, members=7, seed=seed), sync_ns=5_000_000)
    scenario = replace(scenario, workload=replace(scenario.workload, jobs=jobs))
    run, starts = Run(scenario), Starts()
    run.world.nodes[0].surroundings.recorder.join([starts])
    return run, starts


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nodes_that_start_from_snapshots_across_epochs_agree_with_all_others(seed: int) -> None:
    run, starts = crashing(seed)
    run.until(40 * SECOND)
    cores = [node.core for node in run.world.live_honest]
    assert len(cores) == 7
    assert all(bite.count for bite in run.plan.bites())
    assert [found for check in SAFETY for found in check(run.world, run.log)] == []
    assert len({core.state.committee.epoch for core in cores if core is not None}) == 1
    assert min(core.state.committee.epoch for core in cores if core is not None) >= 6
    restarts = [epochs for (second, _), epochs in starts.epochs.items() if second >= 10]
    assert len(restarts) == 6
    assert all(0 not in epochs for epochs in restarts), "it walked through the first epoch again"
    assert all(len(epochs) <= 2 for epochs in restarts), restarts
    held = {block.epoch for block in run.world.nodes[0].disk._blocks.values()}
    assert 0 in held, "so it could have"


def test_a_node_that_stops_before_its_snapshot_is_safe_starts_from_the_one_before() -> None:
    run, _ = crashing(1)
    ends = {}

    class Listener:
        def event(self, time: int, node: int, event: ev.Event) -> None:
            pass

        def effect(self, time: int, node: int, effect: fx.Effect) -> None:
            if node == 6 and isinstance(effect, fx.PersistSnapshot):
                ends[effect.snapshot.boundary.epoch] = time

    run.world.nodes[0].surroundings.recorder.join([Listener()])
    run.until(10 * SECOND)
    while len(ends) < 2:
        run.until(run.world.engine.now + SECOND // 100)
    newest = max(ends)
    run.until(ends[newest] + SECOND // 50)
    run.world.crash(6, keeps_last_batch=True)
    run.until(ends[newest] + SECOND)
    run.world.boot(6)
    core = run.world.nodes[6].core
    assert core is not None
    assert core.ledger.committee.epoch == newest, "the end before the one that it passed"
    run.until(40 * SECOND)
    assert core.state.committee.epoch >= 6
    assert [found for check in SAFETY for found in check(run.world, run.log)] == []


@dataclass
class Prepared:
    """The jobs for which each node prepared a reveal."""

    jobs: dict[int, set[bytes]] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        pass

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if isinstance(effect, fx.PersistReveal):
            self.jobs.setdefault(node, set()).add(effect.job)


def test_reveals_leave_the_stores_after_their_jobs_and_none_is_missed_across_crashes() -> None:
    run, _ = crashing(1, jobs=12)
    prepared = Prepared()
    run.world.nodes[0].surroundings.recorder.join([prepared])
    run.until(40 * SECOND)
    assert all(bite.count for bite in run.plan.bites())
    assert [found for check in SAFETY for found in check(run.world, run.log)] == []
    core = run.world.nodes[0].core
    assert core is not None
    assert len(core.state.jobs) >= 10, "those whose requester was not down"
    assert all(job.terminal for job in core.state.jobs.values())
    executors = [one for job in core.state.jobs.values() for one in job.executors]
    assert not [one for one in executors if one.status is Status.FORFEITED]
    assert sum(map(len, prepared.jobs.values())) > 12
    assert [set(node.disk._reveals) for node in run.world.nodes] == [set()] * 7
