"""The jobs that the state holds: the open ones, and those that ended lately.

An ended job leaves after a stretch of ledger time in which everybody could look at it, so that the
state does not grow with the network's age. Its whole story stays in the signed history.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from protocol.errors import Reason, Rejected
from protocol.job.agenda import Agenda
from protocol.job.deadlines import Spans
from protocol.job.record import Job, Phase
from protocol.job.workforce import Workforce
from protocol.units import JobId, Milliseconds

WAITING: Final = (
    Phase.BIDDING,
    Phase.DRAWING,
    Phase.SAMPLING,
    Phase.COMPARING,
    Phase.SUMMONING,
    Phase.REVEALING,
    Phase.DISPUTING,
)
"""Phases in which a job waits for the ledger and not for a run."""


class Register:
    """All jobs that still matter, and what follows from them.

    Attributes:
        jobs: Every job held, by identifier.
        open_jobs: Those that have not ended.
        agenda: When each of them must be looked at next.
        workforce: Who bid for the jobs held.
        spans: What the settled ones among them took.
        touched: What was written since the last `take_changes`, as it was before.
        waiting: How many jobs wait for the ledger and not for a run.
    """

    def __init__(self) -> None:
        self._jobs: dict[JobId, Job] = {}
        self._open: dict[JobId, Job] = {}
        self.jobs: Mapping[JobId, Job] = MappingProxyType(self._jobs)
        self.open_jobs: Mapping[JobId, Job] = MappingProxyType(self._open)
        self.agenda = Agenda(self._jobs)
        self.workforce = Workforce()
        self.spans = Spans()
        self.touched: dict[JobId, Job | None] = {}
        self.waiting = 0
        self._left: dict[JobId, None] = {}

    def write(self, job: Job) -> None:
        """Takes over a job as it is now."""
        before = self._jobs.get(job.identifier)
        self.touched.setdefault(job.identifier, before)
        self.waiting += (job.phase in WAITING) - (before is not None and before.phase in WAITING)
        self._jobs[job.identifier] = job
        if job.terminal:
            self._open.pop(job.identifier, None)
        else:
            self._open[job.identifier] = job
        self.agenda.note(before, job)
        self.workforce.note(before, job)
        self.spans.note(before, job)

    def retire(self, ledger_ms: Milliseconds) -> None:
        """Lets go of the jobs that ended by this ledger time and can bring nothing more."""
        for job in self.agenda.due_by_end(ledger_ms):
            self._left[job.identifier] = None
            del self._jobs[job.identifier]
            self.workforce.forget(job)
            self.spans.forget(job)

    def take_changes(self) -> Iterable[tuple[JobId, Job | None]]:
        """Every job written since the last call, as it is now; None for one that left."""
        changed = (*self.touched, *self._left)
        changes = [(identifier, self._jobs.get(identifier)) for identifier in changed]
        self.touched.clear()
        self._left.clear()
        return changes

    def load(self, identifier: JobId, job: Job) -> None:
        """Takes in a job of a snapshot.

        Raises:
            Rejected: `MALFORMED` when it has another identifier.
        """
        if identifier != job.identifier:
            raise Rejected(Reason.MALFORMED, "a job under another job's key")
        self.write(job)
        del self.touched[identifier]
