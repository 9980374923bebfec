"""A requester's part: bring the accepted output of its own jobs home."""

from collections.abc import Sequence

from protocol import effects as fx
from protocol.facts import JobAdvanced, JobChanged, StateFact
from protocol.job.delivery import checkers
from protocol.job.record import Ending, Job, Phase, ResultOutcome
from protocol.state import State
from protocol.units import AccountId


class Requester:
    """Decides for one account."""

    def __init__(self, account: AccountId, state: State) -> None:
        self._account = account
        self._state = state

    def react(self, facts: Sequence[StateFact]) -> tuple[fx.Effect, ...]:
        """Asks for the output of each own job that was just settled, or that checkers found."""
        settled = [
            self._state.jobs.get(fact.job)
            for fact in facts
            if isinstance(fact, JobAdvanced) and fact.phase is Phase.SETTLED
        ]
        changed = [self._state.jobs.get(one.job) for one in facts if isinstance(one, JobChanged)]
        found = [job for job in changed if job and _is_found(job)]
        return tuple(
            self._fetch(job) for job in (*settled, *found) if job and self._has_output(job)
        )

    def _has_output(self, job: Job) -> bool:
        accepted = job.accepted
        is_own = job.requester == self._account
        return is_own and accepted is not None and accepted.outcome is ResultOutcome.FINISHED

    def _fetch(self, job: Job) -> fx.Effect:
        accepted = job.accepted
        assert accepted is not None, "only settled jobs are fetched"
        return fx.FetchOutput(job.identifier, accepted.output, (*accepted.members, *checkers(job)))


def _is_found(job: Job) -> bool:
    """Whether checkers were asked for an output, and too few of them could not fetch it."""
    return bool(checkers(job)) and not job.delivering and job.ending is Ending.ACCEPTED
