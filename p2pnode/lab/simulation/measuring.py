"""What one run measured: a row of numbers, in which None means that it never happened.

A value that cannot be, such as recovery where nothing failed, has no key at all; so what never
happened is told apart from what was never asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from protocol import effects as fx
from protocol import events as ev
from protocol.simulator.run import Outcome
from protocol.simulator.scenario import START_NS, Scenario
from protocol.state import OperationApplied, OperationFailed
from protocol.units import MILLISECOND, Digest

Row = dict[str, int | None]

PERCENTILES: Final = (50, 99)


@dataclass(slots=True)
class Measurer:
    """A recorder of when honest nodes asked, and when commits and answers came."""

    scenario: Scenario
    asked: dict[tuple[int, Digest], int] = field(default_factory=dict)
    waited_ns: list[int] = field(default_factory=list)
    """From a request until it is final at the node that asked; those that are."""
    resumed: dict[int, int] = field(default_factory=dict)
    """Each node's first commit after all faults."""
    _silence_ns: int = 0
    _newest: tuple[int, int] = (0, START_NS)
    _honest: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        self._honest = frozenset(self.scenario.honest)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events say less than what a node makes of them."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Notes requests, answers and commits."""
        if node not in self._honest:
            return
        match effect:
            case fx.PersistCommit(index=index):
                self._commit(time, node, index)
            case fx.Report(fx.OperationSeen(identifier=identifier)):
                self.asked.setdefault((node, identifier), time)
            case fx.Report(OperationApplied(identifier=one) | OperationFailed(identifier=one)):
                if (node, one) in self.asked:
                    self.waited_ns.append(time - self.asked.pop((node, one)))
            case _:
                pass

    def silence_ns(self, ended_ns: int) -> int:
        """Return the longest time, until the end, in which nothing became final anywhere."""
        return max(self._silence_ns, ended_ns - self._newest[1])

    def _commit(self, time: int, node: int, index: int) -> None:
        if index > self._newest[0]:
            self._silence_ns = max(self._silence_ns, time - self._newest[1])
            self._newest = (index, time)
        if time >= healed_ns(self.scenario):
            self.resumed.setdefault(node, time)


def healed_ns(scenario: Scenario) -> int:
    """Return when the last fault of a scenario has ended; 0 when it has none."""
    return max((fault.end_ns for fault in scenario.faults), default=0)


def row_of(outcome: Outcome, measured: Measurer) -> Row:
    """Sum up a run.

    Args:
        outcome: What it came to.
        measured: Told everything that happened in it.
    """
    counts, traffic, scenario = outcome.counts, outcome.traffic, outcome.scenario
    row: Row = {
        "virtual_ms": counts.ended_ns // MILLISECOND,
        "commits": counts.commits,
        "jobs": counts.jobs,
        "messages": traffic.messages,
        "size_bytes": traffic.size_bytes,
        "lost": traffic.lost,
        "cut": traffic.cut,
        "bites": sum(bite.count for bite in outcome.bites),
        "operations": len(measured.waited_ns) + len(measured.asked),
        "unfinished": len(measured.asked),
        "silence_ms": measured.silence_ns(counts.ended_ns) // MILLISECOND,
    }
    for percent in PERCENTILES:
        waited = _percentile(measured.waited_ns, len(measured.asked), percent)
        row[f"finality_p{percent}_ms"] = None if waited is None else waited // MILLISECOND
    healed = healed_ns(scenario)
    if healed:
        resumed = [measured.resumed.get(node) for node in scenario.honest]
        times = [time for time in resumed if time is not None]
        is_whole = len(times) == len(resumed)
        row["recovery_ms"] = (max(times) - healed) // MILLISECOND if is_whole else None
    return row


def _percentile(values: Sequence[int], endless: int, percent: int) -> int | None:
    """Takes the nearest rank among values of which some are endless; None when it is one of them.

    Without any value, the answer is endless, too.
    """
    rank = -(-(len(values) + endless) * percent // 100)
    return sorted(values)[rank - 1] if 0 < rank <= len(values) else None
