"""A member that crashes at a chosen event, in one of three ways, and starts again from its disk.

`python -m tests.simulation.crash_points` crashes it at every event of a short history; each crash
is a run of its own of the same history.
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import product

from protocol import effects as fx
from protocol import events as ev
from protocol.facts import OperationApplied
from protocol.messages import Transfer
from protocol.units import CREDIT, MILLISECOND, SECOND
from tests.support.core_group import CoreGroup, Done

VICTIM = 1
ASKED = 6
"""Payments that the victim takes on, one in each half second."""
HISTORY_NS = 4 * SECOND
DOWN_NS = 500 * MILLISECOND
AFTERWARDS_NS = 6 * SECOND
LAG_COMMITS = 2


class Loss(Enum):
    """What is left of the effects of the last event."""

    ALL = "nothing was written or sent"
    SENT = "all was written, nothing sent"
    NOTHING = "all was written and sent"
    WRITTEN = "all was sent, nothing written"
    """What no driver may do; it has to show."""


LAWFUL = (Loss.ALL, Loss.SENT, Loss.NOTHING)


@dataclass(frozen=True, slots=True)
class Crashed:
    """What came of one crash."""

    event: int
    loss: Loss
    lost: int
    """Effects of the last event that were not carried out."""
    signed_twice: int
    equivocations: int
    unpaid: int
    """Payments that were acknowledged and are not final at the end."""
    lag: int
    """Commits by which the victim is behind at the end."""
    has_signed: bool
    """It signed blocks again after the crash."""

    @property
    def is_well(self) -> bool:
        """Whether nothing was lost or signed twice, and the member is one of them again."""
        harm = self.signed_twice + self.equivocations + self.unpaid
        return harm == 0 and self.lag <= LAG_COMMITS and self.has_signed


def events() -> int:
    """Counts the events that the victim takes in the history without a crash."""
    group = CoreGroup().start()
    begun = group.steps[VICTIM]
    _ask(group, HISTORY_NS)
    return group.steps[VICTIM] - begun


def crash(event: int, loss: Loss) -> Crashed:
    """Plays the history with a crash at one event."""
    group = CoreGroup().start()
    step, lost, at = group.tell, -1, group.steps[VICTIM] + event

    def tell(node: int, told: ev.Event) -> tuple[fx.Effect, ...]:
        nonlocal lost
        if lost >= 0 or node != VICTIM or group.steps[node] + 1 < at:
            return step(node, told)
        effects = group.cores[node].step(told, group.now)
        kept = [one for one in effects if _is_left(one, loss)]
        for one in kept:
            group.done.append(Done(group.now, node, one))
            group._obey(node, one)
        group.disks[node].sync()
        lost = sum(not isinstance(one, fx.WakeAt) for one in effects if one not in kept)
        group.stop(node)
        return effects

    group.tell = tell  # type: ignore[method-assign]
    _ask(group, HISTORY_NS)
    assert lost >= 0, "the history has fewer events"
    since = group.now
    if VICTIM not in group.cores:
        group.run(DOWN_NS).start(VICTIM)
    group.run(AFTERWARDS_NS)
    acknowledged = {one.identifier for one in group.facts(fx.OperationSeen, VICTIM)}
    final = {one.identifier for one in group.facts(OperationApplied, 0)}
    indexes = [core.state.index for core in group.cores.values()]
    return Crashed(
        event=event,
        loss=loss,
        lost=lost,
        signed_twice=len(group.signed_twice(VICTIM)),
        equivocations=len(group.facts(fx.EquivocationSeen)),
        unpaid=len(acknowledged - final),
        lag=max(indexes) - group.cores[VICTIM].state.index,
        has_signed=bool(group.facts(fx.BlockProposed, VICTIM, since=since)),
    )


def _is_left(effect: fx.Effect, loss: Loss) -> bool:
    match loss:
        case Loss.ALL:
            return False
        case Loss.NOTHING:
            return True
        case Loss.SENT:
            return isinstance(effect, fx.Persist)
        case Loss.WRITTEN:
            return not isinstance(effect, fx.Persist)


def _ask(group: CoreGroup, duration_ns: int) -> None:
    """Lets the history pass; while it is up, the victim is asked to pay now and then."""
    for number in range(ASKED):
        if VICTIM in group.cores:
            payment = Transfer(group.account(0), CREDIT)
            group.tell(VICTIM, ev.OperationRequested(number, payment))
        group.run(duration_ns // ASKED)


def play(chosen: Iterable[int]) -> list[Crashed]:
    """Crashes at each of some events, in each lawful way."""
    return [crash(event, loss) for event, loss in product(chosen, LAWFUL)]


def main() -> int:
    """Crashes at every event, or at each of so many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=1, help="crash at each of so many events")
    options = parser.parse_args()
    found = play(range(1, events() + 1, options.each))
    failed = [one for one in found if not one.is_well]
    for one in failed:
        print(one)
    print(
        f"{len(found)} crashes at {len(found) // len(LAWFUL)} events, "
        f"{sum(one.lost > 0 for one in found)} of them before something that was to be done; "
        f"{len(failed)} failed"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
