"""Real cores that gossip over an overlay."""

from dataclasses import replace

import pytest

from protocol import events as ev
from protocol.errors import Misuse
from protocol.parameters import minimal, with_pace
from protocol.simulator.catalogue import CONDITIONS, calm
from protocol.simulator.cuts import between_groups
from protocol.simulator.network import Parcel
from protocol.simulator.overlay.parameters import (
    MeshParameters,
    OverlayParameters,
    ScoreParameters,
    Strategy,
    as_the_node,
)
from protocol.simulator.run import Verdict, play
from protocol.simulator.scenario import Behaviour, Crash, Partition, Pause, Scenario, Workload
from protocol.simulator.world import World
from protocol.units import SECOND

SPARSE = OverlayParameters(Strategy.FLOOD, dials=2, accepts=2)
MESHED = OverlayParameters(
    Strategy.GOSSIPSUB, dials=3, mesh=MeshParameters(scores=ScoreParameters())
)


def town(overlay: OverlayParameters = SPARSE, seed: int = 1, observers: int = 5) -> Scenario:
    scenario = replace(calm(seed), observers=observers, workload=Workload(4, 0, 2 * SECOND))
    return replace(scenario, overlay=overlay, conditions=CONDITIONS, safety_ns=6 * SECOND)


class Blocks:
    """Keeps which blocks each node's core was given by gossip."""

    def __init__(self) -> None:
        self.got: list[tuple[int, bytes]] = []

    def event(self, time: int, node: int, event: ev.Event) -> None:
        if isinstance(event, ev.BlockReceived):
            self.got.append((node, event.raw))

    def effect(self, time: int, node: int, effect: object) -> None: ...


def run(scenario: Scenario) -> tuple[World, Blocks]:
    blocks = Blocks()
    world = World(scenario, (blocks,))
    world.engine.run(scenario.safety_ns)
    return world, blocks


def test_only_linked_nodes_are_neighbours_and_all_agree() -> None:
    outcome = play(town())
    assert outcome.verdict is Verdict.PASS
    used = set(outcome.links)
    assert len(used) < 10 * 9
    assert outcome.counts.commits > 0


def test_a_core_hears_of_a_block_once_however_many_copies_come() -> None:
    world, blocks = run(town())
    assert world.relay is not None
    assert len(blocks.got) == len(set(blocks.got)) > 100
    assert world.relay.tally.useless > world.relay.tally.delivered // 2
    pairs = set(world.relay.topology.pairs)
    assert {tuple(sorted(pair)) for pair in world.network.links} <= pairs


def test_sixty_nodes_of_which_seven_vote_agree_and_finalise_over_few_links() -> None:
    asked = Workload(30, 0, 4 * SECOND, observer_stakes=False)
    scenario = replace(
        calm(1, members=7),
        observers=53,
        parameters=with_pace(minimal(), 1_000, 1_000),
        workload=asked,
        overlay=as_the_node(),
    )
    world = World(scenario)
    world.engine.run(14 * SECOND)
    assert len(world.network.links) < 60 * 16
    cores = [node.core for node in world.nodes if node.core is not None]
    states = {(core.state.index, core.state.digest) for core in cores}
    indexes = {index for index, _ in states}
    assert len(cores) == 60
    assert len(states) == len(indexes)
    assert min(indexes) > 5
    assert max(indexes) - min(indexes) < 2
    assert [len(core.pool) for core in cores] == [0] * 60
    fees = 30 * scenario.parameters.operation_fee
    assert [core.state.accounts.totals.burned for core in cores] == [fees] * 60


def test_copies_that_others_overtake_cost_no_events() -> None:
    world, _ = run(town(OverlayParameters(Strategy.FLOOD, dials=9)))
    assert world.relay is not None
    tally = world.relay.tally
    assert tally.useless > 6 * tally.delivered > 0
    assert world.engine.events < tally.copies


def test_a_message_to_one_node_is_no_copy_even_if_it_has_the_bytes_of_one() -> None:
    world, _ = run(town())
    assert world.relay is not None
    event = ev.MessageReceived(world.accounts[0], b"gossiped")
    world.relay.gossip(0, range(10), Parcel(lambda _: event, 8))
    assert not world.relay.takes(1, event)


def test_a_mesh_with_scores_carries_a_ledger() -> None:
    outcome = play(town(MESHED))
    assert outcome.verdict is Verdict.PASS
    world, _ = run(town(MESHED))
    assert world.relay is not None
    assert all(
        count > 0 for kind, count in world.relay.tally.controls.items() if kind.value != "prune"
    )


def test_infection_carries_a_ledger_and_rumours_do_not() -> None:
    overlay = OverlayParameters(Strategy.INFECT_AND_DIE, dials=4, fan_out=3)
    assert play(town(overlay)).verdict is Verdict.PASS
    with pytest.raises(Misuse):
        World(town(OverlayParameters(Strategy.PUSH, dials=4)))


def test_one_seed_is_one_run() -> None:
    assert play(town(as_the_node())).trace == play(town(as_the_node())).trace


def test_a_cut_stops_gossip_until_it_heals() -> None:
    groups = ((0, 1, 2, 3, 5, 6), (4, 7, 8, 9))
    scenario = replace(
        town(), faults=(Partition(3 * SECOND, 5 * SECOND, groups),), safety_ns=7 * SECOND
    )
    blocks = Blocks()
    world = World(scenario, (blocks,))
    world.engine.run(3 * SECOND)
    world.network.cut(between_groups(groups))
    world.engine.run(3 * SECOND + SECOND // 5)
    before = len([node for node, _ in blocks.got if node in groups[1]])
    world.engine.run(5 * SECOND)
    after = [node for node, _ in blocks.got if node in groups[1]]
    assert before > 0
    assert len(after) - before < 8, "member 4 alone makes hardly a block"
    outcome = play(scenario)
    assert outcome.verdict is Verdict.PASS
    assert all(bite.count for bite in outcome.bites)


def test_a_crashed_node_forgets_and_comes_back() -> None:
    scenario = replace(town(), faults=(Crash(3 * SECOND, 4 * SECOND, 1),))
    outcome = play(scenario)
    assert outcome.verdict is Verdict.PASS
    assert [bite.count for bite in outcome.bites] == [1]


def test_a_paused_node_passes_on_what_came_when_it_wakes() -> None:
    scenario = replace(town(), faults=(Pause(3 * SECOND, 4 * SECOND, 1),))
    outcome = play(scenario)
    assert outcome.verdict is Verdict.PASS
    world, _ = run(town())
    world.nodes[1].pause()
    before = len(world.nodes[1].inbox)
    world.engine.run(7 * SECOND)
    assert len(world.nodes[1].inbox) <= before + 40, "only what does not gossip waits in the inbox"
    world.nodes[1].resume()
    world.engine.run(8 * SECOND)
    assert world.nodes[1].inbox == []


@pytest.mark.parametrize("behaviour", [Behaviour.EQUIVOCATING, Behaviour.WITHHOLDING])
def test_those_who_choose_whom_they_show_blocks_do_so_over_their_links(
    behaviour: Behaviour,
) -> None:
    scenario = replace(town(), behaviours=((1, behaviour),), workload=Workload(12, 0, 4 * SECOND))
    world, blocks = run(scenario)
    assert world.adversary.mischief.done[behaviour, 1] > 0
    assert len(blocks.got) > 300
