"""When each job must be looked at next: ordered queues, so that a commit costs what is due.

An entry that a job no longer waits for is dropped when it comes up; nothing is searched for.
"""

from collections.abc import Callable, Iterator, Mapping
from heapq import heappop, heappush
from typing import Final

from protocol.job.record import Job
from protocol.units import CommitIndex, JobId, Milliseconds, Round

Entry = tuple[int, JobId]


class Agenda:
    """The positions that jobs wait for."""

    def __init__(self, jobs: Mapping[JobId, Job]) -> None:
        self._jobs: Final = jobs
        self._rounds: list[Entry] = []
        self._indexes: list[Entry] = []
        self._deadlines: list[Entry] = []
        self._endings: list[Entry] = []

    def note(self, before: Job | None, job: Job) -> None:
        """Takes in what a job waits for after a change."""
        for queue, awaited in (
            (self._rounds, _round),
            (self._indexes, _index),
            (self._deadlines, _deadline),
            (self._endings, _end),
        ):
            position = awaited(job)
            if position is not None and (before is None or awaited(before) != position):
                heappush(queue, (position, job.identifier))

    def due_by_round(self, leader_round: Round) -> tuple[Job, ...]:
        """Takes the jobs that await a leader round up to this one."""
        return self._due(self._rounds, leader_round, _round)

    def due_by_index(self, index: CommitIndex) -> tuple[Job, ...]:
        """Takes the jobs that await a commit up to this one."""
        return self._due(self._indexes, index, _index)

    def due_by_deadline(self, ledger_ms: Milliseconds) -> tuple[Job, ...]:
        """Takes the jobs with a deadline up to this ledger time."""
        return self._due(self._deadlines, ledger_ms, _deadline)

    def due_by_end(self, ledger_ms: Milliseconds) -> tuple[Job, ...]:
        """Takes the jobs that ended by this ledger time and can bring nothing more."""
        return self._due(self._endings, ledger_ms, _end)

    def next_deadline_ms(self) -> Milliseconds | None:
        """The ledger time of the nearest deadline of any job."""
        queue = self._deadlines
        while queue and not self._is_valid(queue[0], _deadline):
            heappop(queue)
        return Milliseconds(queue[0][0]) if queue else None

    def _due(
        self, queue: list[Entry], position: int, awaited: Callable[[Job], int | None]
    ) -> tuple[Job, ...]:
        """Takes due entries in the order of offers: by commit, then by identifier."""
        due = {entry[1]: None for entry in self._taken(queue, position, awaited)}
        jobs = [self._jobs[identifier] for identifier in due]
        return tuple(sorted(jobs, key=lambda job: (job.opened_index, job.identifier)))

    def _taken(
        self, queue: list[Entry], position: int, awaited: Callable[[Job], int | None]
    ) -> Iterator[Entry]:
        while queue and queue[0][0] <= position:
            entry = heappop(queue)
            if self._is_valid(entry, awaited):
                yield entry

    def _is_valid(self, entry: Entry, awaited: Callable[[Job], int | None]) -> bool:
        position, identifier = entry
        job = self._jobs.get(identifier)
        return job is not None and awaited(job) == position


def _round(job: Job) -> int | None:
    return job.round_awaited


def _index(job: Job) -> int | None:
    return job.index_awaited


def _deadline(job: Job) -> int | None:
    return job.deadline_ms


def _end(job: Job) -> int | None:
    return job.concluded_ms
