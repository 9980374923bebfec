"""Splits of five members: who goes on, who waits, and how soon all are one again."""

from dataclasses import dataclass, field

import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.simulator.catalogue import BEGIN_NS, END_NS, split
from protocol.simulator.faults import FaultPlan
from protocol.simulator.invariants import SAFETY, liveness, newest_index
from protocol.simulator.log import Log
from protocol.simulator.world import World
from protocol.units import SECOND

pytestmark = pytest.mark.slow

DRAINED_NS = BEGIN_NS + SECOND
"""By then, everything that was on its way when the links were cut has arrived."""
HEALED_NS = 3 * SECOND
"""First new finality comes at the latest this long after the heal."""


@dataclass
class Times:
    """When each node committed."""

    commits: dict[int, list[int]] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events do not commit."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if isinstance(effect, fx.PersistCommit):
            self.commits.setdefault(node, []).append(time)

    def within(self, node: int, start: int, end: int) -> int:
        return sum(start < time <= end for time in self.commits.get(node, ()))


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize(
    ("groups", "going_on"),
    [
        (((0, 1, 2, 3), (4,)), (0, 1, 2, 3)),
        (((0, 1, 2), (3, 4)), ()),
        (((0, 1), (2, 3), (4,)), ()),
    ],
    ids=["4-1", "3-2", "2-2-1"],
)
def test_only_a_quorum_goes_on_and_all_meet_again(
    groups: tuple[tuple[int, ...], ...], going_on: tuple[int, ...], seed: int
) -> None:
    scenario = split(seed, *groups)
    times, log = Times(), Log(scenario)
    world = World(scenario, (times, log))
    log.know(world.accounts)
    plan = FaultPlan(world)
    world.engine.run(END_NS)
    quiet_index = newest_index(world)
    during = {node: times.within(node, DRAINED_NS, END_NS) for node in range(5)}
    assert {node for node, count in during.items() if count} == set(going_on)
    world.engine.run(END_NS + HEALED_NS)
    assert all(times.within(node, END_NS, END_NS + HEALED_NS) for node in range(5))
    world.engine.run(END_NS + 60 * SECOND)
    assert liveness(world, quiet_index) == []
    assert [violation for check in SAFETY for violation in check(world, log)] == []
    assert plan.bites()[0].count > 10
