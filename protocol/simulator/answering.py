"""The door of a dishonest worker: after each commit it may answer, for every job, by itself."""

from collections.abc import Callable
from typing import Final

from protocol import effects as fx
from protocol import events as ev
from protocol.job.record import Job
from protocol.messages import Payload
from protocol.simulator.node import Node

TICKET: Final = 0
"""Of requests that nobody waits for."""


class Answering:
    """A recorder that asks a worker for its answers, and has its node sign them.

    Args:
        node: Whose door is used.
        answer: Says what is to be sent about a job now, if anything.
    """

    def __init__(self, node: Node, answer: Callable[[Job], Payload | None]) -> None:
        self._node = node
        self._answer = answer

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events tell nothing that the ledger does not."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Looks at every job when the node has applied a commit."""
        core = self._node.core
        if node != self._node.index or core is None or not isinstance(effect, fx.PersistCommit):
            return
        for job in list(core.state.jobs.values()):
            payload = self._answer(job)
            if payload is not None:
                self._node.deliver(ev.OperationRequested(TICKET, payload))
