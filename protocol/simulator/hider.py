"""A worker that binds itself to results, shows their fingerprints, and never opens them.

It acts through its node's own door, like a program of its operator. What it hides is right, so only
its silence harms: the job has to call others, and its pledge is forfeit.
"""

from collections.abc import Callable
from typing import Final

from protocol import effects as fx
from protocol import events as ev
from protocol.job.commit_reveal import commitment_digest, fingerprint_digest, fingerprint_due
from protocol.job.record import Job, ResultOutcome, Status
from protocol.messages import Commitment, Fingerprint, Payload, Reveal
from protocol.simulator.adversary import right_result
from protocol.simulator.chance import Stream
from protocol.simulator.node import Node
from protocol.simulator.scenario import Behaviour, Scenario
from protocol.units import AccountId, JobId

TICKET: Final = 0
"""Of requests that nobody waits for."""


class Hider:
    """Watches one node's ledger, and answers for its account.

    Args:
        node: Whose door it uses.
        account: The node's account.
        chance: What its salts are drawn from.
        note: Told of each commitment.
    """

    def __init__(
        self,
        node: Node,
        account: AccountId,
        chance: Stream,
        note: Callable[[Behaviour, int], None],
    ) -> None:
        self._node = node
        self._account = account
        self._chance = chance
        self._note = note
        self._hidden: dict[JobId, Reveal] = {}
        self._shown: dict[JobId, None] = {}

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events tell nothing that the ledger does not."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Looks at every job when its node has applied a commit."""
        core = self._node.core
        if node != self._node.index or core is None or not isinstance(effect, fx.PersistCommit):
            return
        for job in list(core.state.jobs.values()):
            payload = self._answer(job)
            if payload is not None:
                self._node.deliver(ev.OperationRequested(TICKET, payload))

    def _answer(self, job: Job) -> Payload | None:
        own, identifier = job.executor(self._account), job.identifier
        if own is None:
            return None
        if own.status is Status.RUNNING and identifier not in self._hidden:
            self._note(Behaviour.HIDING, self._node.index)
            reveal = self._hidden[identifier] = self._result(job)
            return Commitment(identifier, commitment_digest(self._account, reveal))
        if fingerprint_due(job, own) and identifier not in self._shown:
            self._shown[identifier] = None
            return Fingerprint(identifier, fingerprint_digest(self._hidden[identifier]))
        return None

    def _result(self, job: Job) -> Reveal:
        return Reveal(
            job=job.identifier,
            outcome=ResultOutcome.FINISHED.value,
            output=right_result(job.offer),
            elapsed_ms=job.offer.limits.time_ms,
            fuel=job.offer.limits.fuel,
            salt=self._chance.digest(),
        )


def hiders_of(
    scenario: Scenario,
    nodes: tuple[Node, ...],
    accounts: tuple[AccountId, ...],
    note: Callable[[Behaviour, int], None],
) -> tuple[Hider, ...]:
    """Makes the hiders of a scenario."""
    return tuple(
        Hider(node, accounts[node.index], Stream(scenario.seed, "hidden", node.index), note)
        for node in nodes
        if scenario.behaviour(node.index) is Behaviour.HIDING
    )
