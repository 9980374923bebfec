"""A worker that binds itself to results, shows their fingerprints, and never opens them.

It acts through its node's own door, like a program of its operator. What it hides is right, so only
its silence harms: the job has to call others, and its pledge is forfeit.
"""

from collections.abc import Callable

from protocol.job.commit_reveal import commitment_digest, fingerprint_digest, fingerprint_due
from protocol.job.record import Job, ResultOutcome, Status
from protocol.messages import Commitment, Fingerprint, Payload, Reveal
from protocol.simulator.adversary import right_result
from protocol.simulator.answering import Answering
from protocol.simulator.chance import Stream
from protocol.simulator.node import Node
from protocol.simulator.scenario import Behaviour, Scenario
from protocol.units import AccountId, JobId


class Hider:
    """Answers for one node's account.

    Args:
        node: Its number.
        account: The node's account.
        chance: What its salts are drawn from.
        note: Told of each commitment.
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
        self._hidden: dict[JobId, Reveal] = {}
        self._shown: dict[JobId, None] = {}

    def answer(self, job: Job) -> Payload | None:
        """Commits to the right result, shows its fingerprint when that is due, and then nothing."""
        own, identifier = job.executor(self._account), job.identifier
        if own is None:
            return None
        if own.status is Status.RUNNING and identifier not in self._hidden:
            self._note(Behaviour.HIDING, self._node)
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
) -> tuple[Answering, ...]:
    """Makes the hiders of a scenario."""
    return tuple(
        Answering(
            node,
            Hider(
                node.index,
                accounts[node.index],
                Stream(scenario.seed, "hidden", node.index),
                note,
            ).answer,
        )
        for node in nodes
        if scenario.behaviour(node.index) is Behaviour.HIDING
    )
