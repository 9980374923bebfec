"""RELIABILITY B1: who signs two blocks in one round loses stake once, and soon."""

from dataclasses import dataclass, field

import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.facts import Slashed
from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.faults import FaultPlan
from protocol.simulator.invariants import SAFETY
from protocol.simulator.log import Log
from protocol.simulator.world import World
from protocol.units import SECOND, AccountId

FINAL_SECONDS = 5
LIAR = 1


@dataclass
class Times:
    """When each contradiction was first seen by anybody, and each slash final at each node."""

    seen: dict[AccountId, int] = field(default_factory=dict)
    slashed: dict[tuple[int, AccountId], list[int]] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events are no facts."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        match effect:
            case fx.Report(fx.EquivocationSeen(account)):
                self.seen.setdefault(account, time)
            case fx.Report(Slashed(account=account)):
                self.slashed.setdefault((node, account), []).append(time)


@pytest.mark.parametrize("seed", range(1, 4))
def test_an_equivocator_alone_is_slashed_once_and_soon(seed: int) -> None:
    scenario = SCENARIOS["equivocating"](seed)
    times, log = Times(), Log(scenario)
    world = World(scenario, (times, log))
    log.know(world.accounts)
    FaultPlan(world)
    world.engine.run(scenario.safety_ns + 10 * SECOND)
    liar = world.accounts[LIAR]
    assert set(times.seen) == {liar}
    slashed = {node: times.slashed[node, liar] for node in scenario.honest}
    assert [len(found) for found in slashed.values()] == [1] * len(scenario.honest)
    assert {account for _, account in times.slashed} == {liar}
    latest = max(found[0] for found in slashed.values())
    print(f"final everywhere {(latest - times.seen[liar]) / SECOND:.2f} s after it was seen")
    assert latest - times.seen[liar] <= FINAL_SECONDS * SECOND
    assert [broken for check in SAFETY for broken in check(world, log)] == []
