"""A member that hides operations breaks no rule, and keeps nothing from becoming final."""

from dataclasses import replace
from functools import cache

import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import decode
from protocol.messages import Block, SignedBlock
from protocol.simulator.catalogue import burying
from protocol.simulator.faults import FaultPlan
from protocol.simulator.invariants import SAFETY, liveness
from protocol.simulator.log import Log
from protocol.simulator.promptness import PROMPT_ROUNDS, Promptness
from protocol.simulator.scenario import Behaviour, Crash
from protocol.simulator.world import World
from protocol.units import SECOND

pytestmark = pytest.mark.slow

SEEDS = (1, 4, 5, 6)
"""Seeds in which it hides most."""
BURIER = 1
FORMAT_MAX = 2**31


class Watch:
    """Keeps the burier's blocks as a node receives them, and what nodes say against it."""

    def __init__(self) -> None:
        self.blocks: dict[int, tuple[Block, int]] = {}
        self.complaints: list[fx.Fact] = []

    def event(self, time: int, node: int, event: ev.Event) -> None:
        if node == 0 and isinstance(event, ev.BlockReceived):
            signed = decode(event.raw, SignedBlock, FORMAT_MAX)
            block = decode(signed.body, Block, FORMAT_MAX)
            self.blocks[hash(signed.body)] = (block, len(signed.operations))

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if not isinstance(effect, fx.Report):
            return
        if isinstance(effect.fact, fx.EquivocationSeen | fx.PeerRefused):
            self.complaints.append(effect.fact)


@cache
def played(seed: int) -> tuple[World, Log, Watch, Promptness]:
    scenario = burying(seed)
    log, watch, promptness = Log(scenario), Watch(), Promptness(scenario)
    world = World(scenario, (log, watch, promptness))
    log.know(world.accounts)
    world.engine.run(scenario.safety_ns + 4 * SECOND)
    return world, log, watch, promptness


@pytest.mark.parametrize("seed", SEEDS)
def test_what_one_member_hides_is_final_within_the_bound(seed: int) -> None:
    world, log, _, promptness = played(seed)
    assert world.adversary.mischief.done[Behaviour.BURYING, BURIER] > 0
    assert [found for check in SAFETY for found in check(world, log)] == []
    assert not [found for found in liveness(world, 0) if "own operations" in found.detail]
    assert len(promptness.waited) >= burying(seed).workload.transfers
    assert max(promptness.waited.values()) <= PROMPT_ROUNDS
    assert promptness.violations() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_hidden_blocks_are_accepted_and_nobody_refers_to_them(seed: int) -> None:
    world, _, watch, _ = played(seed)
    core = world.nodes[0].core
    assert core is not None
    member = core.ledger.committee.index_of(world.accounts[BURIER])
    hidden = {
        block.round
        for block, operations in watch.blocks.values()
        if block.author == member and operations
    }
    referred = {
        reference.round
        for block, _ in watch.blocks.values()
        for reference in (block.own, *block.parents, *block.weak)
        if reference.author == member
    }
    assert hidden
    assert referred
    assert not hidden & referred
    assert watch.complaints == []


def test_it_does_not_wait_for_a_member_that_is_down() -> None:
    base = replace(burying(1), stakes=(5_000,) * 7)
    crash = Crash(2 * SECOND, base.safety_ns - SECOND, 3)
    world = World(replace(base, faults=(crash,)))
    plan = FaultPlan(world)
    world.engine.run(base.safety_ns - 2 * SECOND)
    assert world.adversary.mischief.count(Behaviour.BURYING, BURIER) > 0
    world.engine.run(base.safety_ns)
    assert plan.records()[0].count == 1
