"""How many rounds an operation waits at an honest node while nothing cuts a quorum apart.

Rounds, not seconds: they go on only with a quorum, so the bound needs no word on delays.
"""

from dataclasses import dataclass, field
from typing import Final

from protocol import effects as fx
from protocol import events as ev
from protocol.facts import OperationApplied, OperationFailed
from protocol.simulator.log import Violation
from protocol.simulator.scenario import Scenario
from protocol.units import Digest

PROMPT_ROUNDS: Final = 25
"""The most that an operation may wait: it is hidden once, brought in again by one of the next
members, and ordered. Measured: 6 where all are honest, 13 where one member of five hides it."""


@dataclass(slots=True)
class Promptness:
    """A recorder of what honest nodes asked for and when it became final at them.

    Attributes:
        waited: Rounds that each final operation took at the node that asked for it.
    """

    scenario: Scenario
    waited: dict[Digest, int] = field(default_factory=dict)
    _asked: dict[tuple[int, Digest], int] = field(default_factory=dict)
    _rounds: dict[int, int] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events say less of an operation than what a node does about it."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Notes a node's newest round, and in which round it asks and learns of the end."""
        now = self._rounds.get(node, 0)
        match effect:
            case fx.PersistBlock(round=block_round):
                self._rounds[node] = max(now, block_round)
            case fx.Report(fx.OperationSeen(identifier=identifier)):
                self._asked[node, identifier] = now
            case fx.Report(OperationApplied(identifier=one) | OperationFailed(identifier=one)):
                asked = self._asked.pop((node, one), None)
                if asked is not None:
                    self.waited[one] = now - asked
            case _:
                pass

    @property
    def is_excused(self) -> bool:
        """Whether links or nodes fail, so that no bound is promised."""
        return bool(self.scenario.faults or self.scenario.conditions.loss_ppm)

    def violations(self) -> list[Violation]:
        """Returns what took too long, in a run whose links and nodes all worked."""
        if self.is_excused:
            return []
        return [
            Violation("promptness", -1, f"{identifier.hex()} was final after {rounds} rounds")
            for identifier, rounds in self.waited.items()
            if rounds > PROMPT_ROUNDS
        ]
