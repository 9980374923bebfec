"""A worker that never runs a job, and sends what it can copy from the ledger at each of its turns.

It acts through its node's own door, like a program of its operator: the node bids, and answers
nothing by itself.
"""

from collections import Counter
from collections.abc import Callable

from protocol.encoding import content_digest
from protocol.job.commit_reveal import commitment_digest, fingerprint_due, reveal_due
from protocol.job.record import Job, ResultOutcome, Status
from protocol.messages import Commitment, Fingerprint, Payload, Reveal
from protocol.simulator.answering import Answering
from protocol.simulator.chance import Stream
from protocol.simulator.node import Node
from protocol.simulator.scenario import Behaviour, Scenario
from protocol.units import AccountId, Digest, JobId


class Copier:
    """Answers for one node's account.

    Args:
        node: Its number.
        account: The node's account.
        chance: What its salts and its worthless results are drawn from.
        note: Told of each copy.
    """

    def __init__(
        self,
        node: int,
        account: AccountId,
        chance: Stream,
        note: Callable[[Behaviour, int], None],
    ) -> None:
        self._node = node
        self._account = account
        self._chance = chance
        self._note = note
        self._reveals: dict[JobId, Reveal] = {}
        self._sent: dict[tuple[JobId, type], None] = {}

    def answer(self, job: Job) -> Payload | None:
        """Sends each kind of operation once for a job, as soon as it is due."""
        payload = self._due(job)
        if payload is not None:
            self._sent[job.identifier, type(payload)] = None
        return payload

    def _owes(self, job: Job, kind: type) -> bool:
        return (job.identifier, kind) not in self._sent

    def _due(self, job: Job) -> Payload | None:
        own = job.executor(self._account)
        if own is None:
            return None
        if own.status is Status.RUNNING and self._owes(job, Commitment):
            return self._commitment(job)
        if fingerprint_due(job, own) and self._owes(job, Fingerprint):
            seen = [one.fingerprint for one in job.executors if one.fingerprint is not None]
            return Fingerprint(job.identifier, self._copy(seen)) if seen else None
        if reveal_due(job, own) and self._owes(job, Reveal):
            return self._reveals.get(job.identifier)
        return None

    def _commitment(self, job: Job) -> Commitment:
        """Binds itself to a result that is public, or else to a worthless one."""
        seen = [one.reveal.output for one in job.executors if one.reveal is not None]
        reveal = Reveal(
            job=job.identifier,
            outcome=ResultOutcome.FINISHED.value,
            output=self._copy(seen) if seen else content_digest(self._chance.digest()),
            elapsed_ms=job.offer.limits.time_ms,
            fuel=job.offer.limits.fuel,
            salt=self._chance.digest(),
        )
        self._reveals[job.identifier] = reveal
        return Commitment(job.identifier, commitment_digest(self._account, reveal))

    def _copy(self, seen: list[Digest]) -> Digest:
        """Takes what most others found."""
        self._note(Behaviour.COPYING, self._node)
        return Counter(seen).most_common(1)[0][0]


def copiers_of(
    scenario: Scenario,
    nodes: tuple[Node, ...],
    accounts: tuple[AccountId, ...],
    note: Callable[[Behaviour, int], None],
) -> tuple[Answering, ...]:
    """Makes the copiers of a scenario."""
    return tuple(
        Answering(
            node,
            Copier(
                node.index,
                accounts[node.index],
                Stream(scenario.seed, "copies", node.index),
                note,
            ).answer,
        )
        for node in nodes
        if scenario.behaviour(node.index) is Behaviour.COPYING
    )
