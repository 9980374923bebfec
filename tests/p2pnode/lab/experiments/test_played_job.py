"""Whole jobs on a state, without a network."""

from p2pnode.lab.experiments.played_job import (
    PRICE,
    SECONDS,
    Played,
    Runner,
    account_of,
    offer_of,
)
from protocol.job.record import Ending, Phase
from protocol.parameters import minimal

TERMS = minimal()
WORKERS = range(1, 5)


def test_a_job_of_honest_workers_is_settled_and_paid() -> None:
    town = Played(TERMS, 4)
    before = town.wealth(0)
    answers = {one: Runner(one, TERMS) for one in WORKERS}
    job = town.play(offer_of(TERMS, replicas=3), WORKERS, answers)
    assert (job.phase, job.ending) == (Phase.SETTLED, Ending.ACCEPTED)
    assert all(payout.amount >= PRICE * SECONDS for payout in job.payouts)
    spent = sum(payout.amount for payout in job.payouts) + job.fee + TERMS.operation_fee
    assert town.wealth(0) == before - spent
    assert all(town.checks(one) == 1 for one in WORKERS if job.executor(account_of(one)))


def test_silent_workers_end_it_without_a_result() -> None:
    job = Played(TERMS, 4).play(offer_of(TERMS, replicas=3), WORKERS, {})
    assert (job.phase, job.ending) == (Phase.REFUNDED, Ending.EXPIRED)


def test_a_liar_among_them_is_convicted() -> None:
    town = Played(TERMS, 4)
    answers = {one: Runner(one, TERMS) for one in WORKERS}
    answers[1] = Runner(1, TERMS, b"wrong")
    job = town.play(offer_of(TERMS, replicas=4, replicas_max=4), WORKERS, answers)
    assert [slash.account for slash in job.slashes] == [account_of(1)]
