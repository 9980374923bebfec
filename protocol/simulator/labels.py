"""Whether nodes that cannot reach a quorum call anything final: they must not.

A side of a cut without a quorum can still finish what was on its way: a leader is final two rounds
after its own, and blocks of those rounds must have crossed before the cut. So a leader above the
round that was reached two rounds before the cut cannot be final there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol import effects as fx
from protocol import events as ev
from protocol.simulator.log import Violation
from protocol.simulator.scenario import Partition, Scenario

DECIDING_ROUNDS: Final = 2
"""A leader is decided by blocks so many rounds above its own."""


@dataclass(slots=True)
class Isolation:
    """Nodes that together lack a quorum, while nothing reaches them.

    Attributes:
        top_round: The highest round of any block before.
        claims: Commits that they reported meanwhile.
    """

    start_ns: int
    end_ns: int
    nodes: tuple[int, ...]
    top_round: int = 0
    claims: int = 0


class Labels:
    """A recorder of what cut off nodes say to be final; it needs facts alone.

    Attributes:
        isolations: Every honest minority of every clean cut.
        found: What was broken so far.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.isolations = isolations_of(scenario)
        self.found: list[Violation] = []

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events claim nothing."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Notes the rounds before each cut, and judges the commits during it."""
        match effect:
            case fx.PersistBlock(round=block_round):
                self._note_round(time, block_round)
            case fx.Report(fx.BlockProposed(round=block_round)):
                self._note_round(time, block_round)
            case fx.Report(fx.CommitApplied(index, leader_round=leader_round)):
                self._note_commit(time, node, index, leader_round)
            case _:
                pass

    def _note_round(self, time: int, block_round: int) -> None:
        for isolation in self.isolations:
            if time <= isolation.start_ns and block_round > isolation.top_round:
                isolation.top_round = block_round

    def _note_commit(self, time: int, node: int, index: int, leader_round: int) -> None:
        for isolation in self.isolations:
            if node not in isolation.nodes or not isolation.start_ns < time < isolation.end_ns:
                continue
            isolation.claims += 1
            if leader_round + DECIDING_ROUNDS > isolation.top_round:
                detail = f"commit {index} of round {leader_round} without a quorum"
                self.found.append(Violation("honest_labels", node, detail, time))


def isolations_of(scenario: Scenario) -> tuple[Isolation, ...]:
    """Finds the sides of clean cuts that lack a quorum; a node in no group would join them."""
    total = sum(scenario.stakes)
    quorum = total - (total - 1) // 3
    if scenario.parameters.churn_profile:
        quorum = 3 * total // 5 + 1
    found = []
    for fault in scenario.faults:
        if not isinstance(fault, Partition) or not _is_clean(fault, scenario.nodes):
            continue
        for group in fault.groups:
            keys = dict.fromkeys(_key(node, scenario) for node in group)
            weight = sum(scenario.stakes[key] for key in keys if key < len(scenario.stakes))
            honest = tuple(node for node in group if node in scenario.honest)
            if weight < quorum and honest:
                found.append(Isolation(fault.start_ns, fault.end_ns, honest))
    return tuple(found)


def _is_clean(fault: Partition, nodes: int) -> bool:
    placed: Sequence[int] = [node for group in fault.groups for node in group]
    return sorted(placed) == list(range(nodes))


def _key(node: int, scenario: Scenario) -> int:
    """Names the original whose keys a node has."""
    return node if node < scenario.originals else scenario.twins[node - scenario.originals]
