"""Jobs come up when they are due, once, in the order of their offers."""

from dataclasses import replace

from protocol.job.agenda import Agenda
from protocol.job.record import Job, Phase
from protocol.units import CommitIndex, JobId, Milliseconds, Round
from tests.support.builders import account_id, make_offer


def waiting(
    number: int,
    opened: int = 1,
    at_round: int | None = None,
    at_index: int | None = None,
    at_ms: int | None = None,
) -> Job:
    return Job(
        identifier=JobId(bytes([number]) * 32),
        requester=account_id(0),
        offer=make_offer(),
        opened_index=CommitIndex(opened),
        phase=Phase.REVEALING,
        timeline=(),
        round_awaited=None if at_round is None else Round(at_round),
        index_awaited=None if at_index is None else CommitIndex(at_index),
        window_end_ms=None if at_ms is None else Milliseconds(at_ms),
    )


def noted(*jobs: Job) -> tuple[Agenda, dict[JobId, Job]]:
    known = {job.identifier: job for job in jobs}
    agenda = Agenda(known)
    for job in jobs:
        agenda.note(None, job)
    return agenda, known


def test_a_job_comes_up_once_when_its_round_has_come() -> None:
    job = waiting(1, at_round=7)
    agenda, _ = noted(job)
    assert agenda.due_by_round(Round(6)) == ()
    assert agenda.due_by_round(Round(9)) == (job,)
    assert agenda.due_by_round(Round(9)) == ()


def test_jobs_that_are_due_together_come_up_in_the_order_of_their_offers() -> None:
    late, second, first = (
        waiting(1, opened=9, at_index=4),
        waiting(3, opened=2, at_index=5),
        waiting(2, opened=2, at_index=5),
    )
    agenda, _ = noted(late, second, first)
    assert agenda.due_by_index(CommitIndex(5)) == (first, second, late)


def test_a_job_that_waits_for_something_else_by_now_does_not_come_up() -> None:
    job = waiting(1, at_ms=100)
    agenda, known = noted(job)
    moved = replace(job, window_end_ms=Milliseconds(500))
    known[job.identifier] = moved
    agenda.note(job, moved)
    assert agenda.due_by_deadline(Milliseconds(499)) == ()
    assert agenda.next_deadline_ms() == 500
    assert agenda.due_by_deadline(Milliseconds(500)) == (moved,)
    assert agenda.next_deadline_ms() is None
