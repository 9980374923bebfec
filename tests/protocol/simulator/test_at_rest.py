import pytest

from protocol.simulator.at_rest import conviction, durability
from protocol.simulator.catalogue import misbehaving
from protocol.simulator.log import Log
from protocol.simulator.scenario import Behaviour
from protocol.simulator.world import World
from protocol.units import SECOND, Digest

pytestmark = pytest.mark.slow


def test_what_was_asked_for_is_done_and_who_was_caught_has_paid() -> None:
    scenario = misbehaving(1, Behaviour.EQUIVOCATING)
    log = Log(scenario)
    world = World(scenario, (log,))
    log.know(world.accounts)
    world.engine.run(25 * SECOND)
    assert log.asked > 10
    assert (log.unsettled, durability(world, log), conviction(world, log)) == ({}, [], [])
    lost = Digest(b"o" * 32)
    log.unsettled[lost] = 2
    assert [(one.node, one.detail) for one in durability(world, log)] == [
        (2, f"operation {lost.hex()} is neither final nor waiting")
    ]
    assert list(log.equivocations) == [world.accounts[1]]
    log.slashes.clear()
    assert [one.detail for one in conviction(world, log)] == [
        f"{world.accounts[1].hex()} kept its stake"
    ]
    log.equivocations[world.accounts[1]] = dict.fromkeys(log.equivocations[world.accounts[1]], 7)
    assert conviction(world, log) == [], "only a member can bring the proof in"
