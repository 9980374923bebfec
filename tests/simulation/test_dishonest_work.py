"""RELIABILITY B2 to B6 and B14: workers that withhold, copy, lie, collude, split or only pretend.

Whole jobs on the node's own state, without a network; each test asserts that its fault happened.
"""

from math import comb, sqrt

import pytest
from msgspec.structs import replace

from p2pnode.lab.experiments.copied_results import COPIERS, copied
from p2pnode.lab.experiments.played_job import (
    Answer,
    Played,
    Runner,
    account_of,
    offer_of,
)
from protocol.economy.reputation import (
    NEWCOMER,
    Reputation,
    after_conviction,
    after_right,
    after_wrong,
    score,
)
from protocol.job.bidding import weight_of
from protocol.job.record import Ending, Fault, Job, Phase, Status
from protocol.messages import Decline, Payload, Reveal
from protocol.parameters import live, minimal
from protocol.units import CREDIT, AccountId, Credits, Milliseconds

TERMS = replace(minimal(), audit_floor=0, exposure_multiple=2_000)
"""With a pledge of so many pays the beacon hardly ever sends an auditor."""
WORKERS = range(1, 7)
PRICE = Credits(1_000)


def honest(*numbers: int) -> dict[int, Answer]:
    return {number: Runner(number, TERMS) for number in numbers or WORKERS}


def silent(_: Job) -> None:
    """Takes part in the draw, and never says anything again."""


class Withholder:
    """Commits and sends its fingerprint, and never opens what it committed to."""

    def __init__(self, number: int) -> None:
        self.runner = Runner(number, TERMS)
        self.withheld = 0

    def __call__(self, job: Job) -> Payload | None:
        said = self.runner(job)
        if isinstance(said, Reveal):
            self.withheld += 1
            return None
        return said


def decliner(number: int) -> Answer:
    def answer(job: Job) -> Payload | None:
        own = job.executor(account_of(number))
        running = own is not None and own.status is Status.RUNNING
        return Decline(job.identifier, unavailable=False) if running else None

    return answer


# B2


@pytest.mark.parametrize("bidders", [range(1, 4), range(1, 7)])
def test_b2_a_result_that_is_never_opened_costs_more_than_it_could_gain(bidders: range) -> None:
    town = Played(TERMS, 6)
    withholder = Withholder(1)
    before = town.wealth(1)
    for _ in range(6):
        answers = honest(*bidders) | {1: withholder}
        job = town.play(offer_of(TERMS, replicas=3, replicas_max=4), bidders, answers)
        if withholder.withheld:
            break
    own = job.executor(account_of(1))
    assert own is not None
    assert own.status is Status.FORFEITED
    (slash,) = job.slashes
    assert (slash.account, slash.reason) == (own.account, Fault.UNOPENED_COMMITMENT)
    most = max((payout.amount for payout in job.payouts), default=0)
    assert before - town.wealth(1) == own.exposure > 100 * most
    opened = [step for step in job.timeline if step.phase is Phase.REVEALING]
    ended = job.timeline[-1]
    assert ended.time_ms - opened[-1].time_ms <= TERMS.reveal_window_ms + 12_000 + 1_000


def test_b2_whoever_never_commits_holds_a_job_up_until_its_deadline_and_no_longer() -> None:
    town = Played(TERMS, 3)
    answers = honest(2, 3) | {1: silent}
    offer = offer_of(TERMS, replicas=3, replicas_max=3, tolerated_error_ppm=20_000)
    job = town.play(offer, range(1, 4), answers)
    own = job.executor(account_of(1))
    assert own is not None
    assert own.status is Status.MISSED
    moved = next(step for step in job.timeline if step.phase is Phase.SAMPLING)
    drawn = next(step for step in job.timeline if step.phase is Phase.EXECUTING)
    allowed_ms = offer.deadline_ms + TERMS.commitment_grace_ms
    assert allowed_ms <= moved.time_ms - drawn.time_ms <= allowed_ms + 300, "one commit later"
    assert job.ending is Ending.ACCEPTED, "two that agree are enough here"
    assert town.wealth(1) >= 20_000 * CREDIT, "absence costs no stake"


# B3


def test_b3_of_copied_results_none_is_paid() -> None:
    """The experiment `copied-results` plays ten thousand."""
    count = copied(COPIERS[:1], 40)
    assert count.copies >= 40
    assert count.paid == 0


# B4


def test_b4_a_lie_among_replicas_is_always_contradicted() -> None:
    drawn = caught = 0
    for luck in range(60):
        town = Played(TERMS, 6, luck)
        answers = honest() | {1: Runner(1, TERMS, b"lazy")}
        job = town.play(offer_of(TERMS, replicas=2, replicas_max=5), WORKERS, answers)
        if job.executor(account_of(1)) is not None:
            drawn += 1
            caught += any(one.account == account_of(1) for one in job.slashes)
    assert drawn > 10, "it was drawn"
    assert caught == drawn


def test_b4_three_offences_halve_a_newcomers_weight_and_one_conviction_everybodys() -> None:
    offender = NEWCOMER
    for _ in range(3):
        offender = after_wrong(offender)
    assert 2 * score(offender) <= score(NEWCOMER)
    veteran = Reputation()
    for number in range(50):
        requester = AccountId(number.to_bytes(32, "big"))
        veteran = after_right(veteran, requester, Milliseconds(0), live(), checked=True)
    assert 2 * score(after_conviction(veteran)) <= score(veteran)
    assert after_wrong(veteran).checks == 0, "and its word counts like a stranger's again"


# B5


def test_b5_a_collusion_wins_as_often_as_it_is_the_majority_and_not_more() -> None:
    workers, liars, trials = 20, 4, 250
    chance = sum(comb(liars, k) * comb(workers - liars, 3 - k) for k in (2, 3)) / comb(workers, 3)
    wrong = lies = 0
    for luck in range(trials):
        town = Played(TERMS, workers, luck)
        answers: dict[int, Answer] = {
            one: Runner(one, TERMS, b"wrong" if one <= liars else b"right")
            for one in range(1, workers + 1)
        }
        offer = offer_of(TERMS, replicas=3, replicas_max=3, tolerated_error_ppm=200_000)
        job = town.play(offer, range(1, workers + 1), answers)
        cabal = {account_of(one) for one in range(1, liars + 1)}
        lies += any(one.account in cabal for one in job.executors)
        wrong += job.accepted is not None and set(job.accepted.members) <= cabal
    assert lies > trials // 4, "liars were drawn"
    deviation = sqrt(chance * (1 - chance) / trials)
    assert abs(wrong / trials - chance) <= 3 * deviation
    assert wrong > 0, "where a majority decides, a majority can lie"


def test_b5_a_small_tolerated_error_keeps_the_same_collusion_out() -> None:
    workers, liars = 20, 4
    wrong = 0
    for luck in range(60):
        town = Played(TERMS, workers, luck)
        answers: dict[int, Answer] = {
            one: Runner(one, TERMS, b"wrong" if one <= liars else b"right")
            for one in range(1, workers + 1)
        }
        offer = offer_of(TERMS, replicas=3, replicas_max=9, tolerated_error_ppm=1_000)
        job = town.play(offer, range(1, workers + 1), answers)
        cabal = {account_of(one) for one in range(1, liars + 1)}
        wrong += job.accepted is not None and set(job.accepted.members) <= cabal
    assert wrong <= 1


# B6


def test_b6_a_thousand_keys_weigh_no_more_than_their_stake_and_nothing_without_one() -> None:
    terms = live()
    standing = score(NEWCOMER)

    def weight(stake: int) -> int:
        return weight_of(Credits(stake * CREDIT), standing, PRICE, PRICE, terms)

    split, others = 1_000 * weight(1_000), 10 * weight(100_000)
    assert abs(split / (split + others) - 0.5) < 0.01, "a million of two million staked"
    assert weight(0) == 0


# B14


def test_b14_who_never_delivers_is_replaced_and_is_drawn_ever_less() -> None:
    town = Played(TERMS, 6)
    rests: list[int] = []
    offer = offer_of(TERMS, replicas=3, replicas_max=4)
    for _ in range(30):
        job = town.play(offer, WORKERS, honest() | {1: silent})
        assert job.ending is Ending.ACCEPTED, "a spare took its place"
        reputation = town.state.reputation_of(account_of(1))
        if reputation.misses > len(rests):
            rests.append(reputation.resting_until_ms - town.state.ledger_time_ms)
            allowed_ms = offer.deadline_ms + TERMS.commitment_grace_ms
            begun = next(step for step in job.timeline if step.phase is Phase.EXECUTING)
            spare = job.executors[-1]
            assert spare.called_ms - begun.time_ms <= allowed_ms + 300, "after one timeout"
    assert len(rests) >= 2, "it was drawn again after it had rested"
    assert score(town.state.reputation_of(account_of(1))) < score(NEWCOMER)
    assert town.wealth(1) >= 20_000 * CREDIT


def test_b14_offers_that_flap_reroute_a_job_at_once_and_cost_nothing() -> None:
    town = Played(TERMS, 6)
    declined = 0
    for _ in range(8):
        job = town.play(offer_of(TERMS, replicas=3), WORKERS, honest() | {1: decliner(1)})
        assert job.ending is Ending.ACCEPTED
        own = job.executor(account_of(1))
        declined += own is not None and own.status is Status.DECLINED
    assert declined >= 2
    assert town.state.reputation_of(account_of(1)).misses == 0
