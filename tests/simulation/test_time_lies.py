"""RELIABILITY B11: members that lie about the time move ledger time nowhere."""

from dataclasses import dataclass, field, replace

import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import decode
from protocol.messages import Block, SignedBlock
from protocol.simulator.catalogue import calm
from protocol.simulator.faults import FaultPlan
from protocol.simulator.invariants import SAFETY
from protocol.simulator.log import Log
from protocol.simulator.world import World
from protocol.units import MILLISECOND, SECOND

YEAR_NS = 365 * 24 * 3600 * SECOND
SHIFT_MS = 2_000
"""How far lies may move ledger time."""
BYTES_MAX = 2**20


@dataclass
class Clock:
    """How far behind the true time each commit of the first node was, and what it was told.

    The first commit may stand on genesis alone, whose time is none.
    """

    lags_ms: list[int] = field(default_factory=list)
    lies: int = 0
    """Accepted blocks whose time is wrong by more than half a year."""

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events are no commits."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if node != 0:
            return
        true_ns = time + YEAR_NS
        match effect:
            case fx.Report(fx.CommitApplied(index=index, time_ms=time_ms)) if index > 1:
                self.lags_ms.append(true_ns // MILLISECOND - time_ms)
            case fx.PersistBlock(raw=raw):
                signed = decode(raw, SignedBlock, BYTES_MAX)
                told_ms = decode(signed.body, Block, BYTES_MAX).time_ms
                self.lies += abs(told_ms * MILLISECOND - true_ns) > YEAR_NS // 2


def observed(seed: int, errors: tuple[int, int] = (0, 0)) -> Clock:
    """Plays seven members, of whom two are wrong, in a network that is a year old."""
    skews = tuple(YEAR_NS + error for error in (0, 0, 0, 0, 0, *errors))
    scenario = replace(calm(seed, members=7), skews_ns=skews)
    clock, log = Clock(), Log(scenario)
    world = World(scenario, (clock, log))
    log.know(world.accounts)
    FaultPlan(world)
    world.engine.run(scenario.safety_ns + 20 * SECOND)
    assert [broken for check in SAFETY for broken in check(world, log)] == []
    return clock


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("errors", [(YEAR_NS, YEAR_NS), (-YEAR_NS, -YEAR_NS), (YEAR_NS, -YEAR_NS)])
def test_two_of_seven_that_lie_about_the_time_do_not_move_ledger_time(
    errors: tuple[int, int], seed: int
) -> None:
    truthful, lied = observed(seed), observed(seed, errors)
    assert truthful.lies == 0
    assert max(truthful.lags_ms) < YEAR_NS // MILLISECOND // 2
    assert lied.lies > 10
    assert len(lied.lags_ms) > 10
    assert min(lied.lags_ms) >= 0, "ledger time is never ahead of the true time"
    print(f"moved by {max(lied.lags_ms) - max(truthful.lags_ms)} ms at most")
    assert max(lied.lags_ms) <= max(truthful.lags_ms) + SHIFT_MS
