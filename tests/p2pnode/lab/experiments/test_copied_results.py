"""Copied results: nobody is paid for one, unless an accomplice pays far more for it."""

from p2pnode.lab.experiments.copied_results import COPIERS, Count, copied, play
from p2pnode.lab.experiments.played_job import account_of
from protocol.job.record import Status


def test_one_copier_is_never_paid() -> None:
    count = copied(COPIERS[:1], 60)
    assert count.copies >= 60, "it did copy"
    assert (count.paid, count.earned) == (0, 0)
    assert count.forfeited > 0


def test_the_honest_are_paid_in_the_same_jobs() -> None:
    job = play(Count(COPIERS[:1]))
    copier = account_of(COPIERS[0])
    paid = {payout.account for payout in job.payouts}
    assert paid
    assert copier not in paid
    statuses = {one.status for one in job.executors if one.account != copier}
    assert statuses == {Status.REVEALED}
