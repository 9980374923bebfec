"""Which result is right, and when a contradiction is a lie."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as with_terms

from protocol.economy.reputation import odds
from protocol.encoding import content_digest
from protocol.job.crosscheck import (
    audit_chance,
    chosen,
    compare,
    contradicts,
    crosscheck,
    reaches,
    replicas_needed,
    spares_needed,
)
from protocol.job.record import Duty, Executor, Job, Phase, ResultOutcome, Status
from protocol.parameters import live, local
from protocol.units import CommitIndex, Credits, JobId, Milliseconds
from tests.support.builders import account_id, make_offer, make_reveal

TERMS = local()
JOB = JobId(bytes(32))
NEWCOMER = odds(0, TERMS)


def executor(
    number: int,
    output: bytes = b"right",
    outcome: ResultOutcome = ResultOutcome.FINISHED,
    checks: int = 0,
    device: str = "cpu",
) -> Executor:
    return Executor(
        account=account_id(number),
        duty=Duty.EXECUTOR,
        price=Credits(1_000),
        device=device,
        estimate_ms=Milliseconds(1_000),
        exposure=Credits(1),
        checks=checks,
        called_ms=Milliseconds(0),
        deadline_ms=Milliseconds(9),
        status=Status.REVEALED,
        reveal=make_reveal(JOB, output, outcome),
    )


def judged(*executors: Executor, result_class: str = "exact", error_ppm: int = 20_000) -> Job:
    return Job(
        identifier=JOB,
        requester=account_id(0),
        offer=make_offer(result_class=result_class, tolerated_error_ppm=error_ppm),
        opened_index=CommitIndex(1),
        phase=Phase.REVEALING,
        timeline=(),
        round_awaited=None,
        executors=executors,
    )


def test_three_newcomers_against_one_reach_986_in_a_thousand() -> None:
    job = judged(executor(1), executor(2), executor(3), executor(4, b"wrong"))
    finding = crosscheck(job, TERMS)
    assert [group.confidence_bp for group in finding.groups] == [9_864, 121]
    assert finding.groups[0].members == tuple(account_id(number) for number in (1, 2, 3))
    assert (finding.accepted, finding.convicting) == (True, True)


def committed(number: int, name: bytes | None, checks: int = 0) -> Executor:
    fingerprint = None if name is None else content_digest(name)
    status = Status.COMMITTED
    own = executor(number, checks=checks)
    return replace(own, status=status, reveal=None, fingerprint=fingerprint)


def test_fingerprints_are_weighed_as_reveals_are() -> None:
    job = judged(*(committed(number, b"same") for number in (1, 2, 3)), committed(4, b"other"))
    balance = compare(job, TERMS)
    revealed = judged(executor(1), executor(2), executor(3), executor(4, b"wrong"))
    finding = crosscheck(revealed, TERMS)
    assert (balance.weights, balance.total) == (finding.balance.weights, finding.balance.total)
    assert [len(members) for members in balance.members] == [3, 1]
    assert balance.reaches(20_000)
    assert not balance.reaches(1_000)


def test_only_fingerprints_that_were_sent_in_time_are_weighed() -> None:
    silent = replace(committed(2, b"same"), status=Status.UNOPENED)
    job = judged(committed(1, b"same"), silent, committed(3, None))
    assert [[each.account for each in members] for members in compare(job, TERMS).members] == [
        [account_id(1)]
    ]
    assert not compare(judged(), TERMS).reaches(500_000)


def test_opened_results_are_weighed_with_the_fingerprints_of_those_called_later() -> None:
    opened = replace(executor(1), fingerprint=content_digest(b"same"))
    (members,) = compare(judged(opened, committed(2, b"same")), TERMS).members
    assert [each.account for each in members] == [account_id(1), account_id(2)]


def test_two_newcomers_against_one_do_not_reach_two_percent() -> None:
    job = judged(executor(1), executor(2), executor(3, b"wrong"))
    assert not crosscheck(job, TERMS).accepted


def test_a_majority_of_newcomers_can_be_outweighed_by_a_record() -> None:
    job = judged(executor(1, checks=200), executor(2, b"wrong"), executor(3, b"wrong"))
    finding = crosscheck(job, TERMS)
    assert finding.groups[0].members == (account_id(1),)


def test_the_confidence_is_the_quotient_of_the_odds() -> None:
    job = judged(executor(1, checks=3), executor(2, checks=1), executor(3, b"wrong", checks=2))
    weights = [odds(checks, TERMS) for checks in (3, 1, 2)]
    first, second, other = (Fraction(weight.right, weight.wrong) for weight in weights)
    expected = first * second / (1 + first * second + other)
    finding = crosscheck(job, TERMS)
    assert Fraction(finding.balance.weights[0], finding.balance.total) == expected


def test_nothing_revealed_is_no_finding() -> None:
    finding = crosscheck(judged(), TERMS)
    assert (finding.groups, finding.accepted, finding.balance.total) == ((), False, 1)


def test_equal_groups_are_ordered_by_digest() -> None:
    job = judged(executor(1, b"a"), executor(2, b"b"))
    outputs = [group.output for group in crosscheck(job, TERMS).groups]
    assert outputs == sorted(outputs)


def test_a_conviction_needs_more_than_an_acceptance() -> None:
    strict = with_terms(TERMS, slash_error_ppm=1)
    job = judged(executor(1), executor(2), executor(3), executor(4, b"wrong"))
    finding = crosscheck(job, strict)
    assert (finding.accepted, finding.convicting) == (True, False)


def test_where_a_jury_is_due_nobody_is_convicted_without_one() -> None:
    jury = with_terms(TERMS, jury_size=3)
    job = judged(executor(1), executor(2), executor(3), executor(4, b"wrong"))
    assert not crosscheck(job, jury).convicting


def test_agreeing_on_a_limit_convicts_nobody() -> None:
    slow = [executor(number, outcome=ResultOutcome.TIME_LIMIT) for number in (1, 2, 3)]
    finding = crosscheck(judged(*slow, executor(4, b"wrong")), TERMS)
    assert (finding.accepted, finding.convicting) == (True, False)


def settled(*executors: Executor, result_class: str = "exact") -> Job:
    job = judged(*executors, result_class=result_class)
    return replace(job, groups=crosscheck(job, TERMS).groups)


def test_only_a_finished_result_contradicts() -> None:
    right = [executor(number) for number in (1, 2, 3)]
    slow, wrong = executor(4, outcome=ResultOutcome.TIME_LIMIT), executor(5, b"wrong")
    job = settled(*right, slow, wrong)
    assert [contradicts(each, job) for each in job.executors] == [False] * 4 + [True]
    assert not contradicts(replace(wrong, reveal=None), job)


def test_results_of_different_devices_do_not_contradict_each_other_in_their_own_class() -> None:
    right = [executor(number, device="cuda") for number in (1, 2, 3)]
    other, same = executor(4, b"wrong"), executor(5, b"wrong", device="cuda")
    job = settled(*right, other, same, result_class="class-exact")
    assert [contradicts(each, job) for each in (other, same)] == [False, True]


@pytest.mark.parametrize(("error_ppm", "needed"), [(100_000, 1), (20_000, 2), (2_000, 3), (1, 7)])
def test_the_tolerated_error_decides_how_many_newcomers_are_needed(
    error_ppm: int, needed: int
) -> None:
    assert replicas_needed([NEWCOMER] * 16, error_ppm) == needed


def test_too_few_workers_cannot_reach_a_small_error() -> None:
    assert replicas_needed([NEWCOMER] * 6, 1) is None
    assert replicas_needed([], 500_000) is None


def test_a_contradiction_needs_one_more_who_agrees() -> None:
    finding = crosscheck(judged(executor(1), executor(2), executor(3, b"wrong")), TERMS)
    assert spares_needed(finding.balance, [NEWCOMER] * 5, 20_000) == 1
    assert spares_needed(finding.balance, [], 20_000) is None


def test_where_nobody_revealed_the_spares_begin_anew() -> None:
    assert spares_needed(crosscheck(judged(), TERMS).balance, [NEWCOMER] * 5, 20_000) == 2


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2)), min_size=1, max_size=6))
def test_what_spares_promise_a_new_judgement_keeps(workers: list[tuple[int, int]]) -> None:
    executors = [
        executor(number, bytes([answer]), checks=checks)
        for number, (checks, answer) in enumerate(workers)
    ]
    finding = crosscheck(judged(*executors), TERMS)
    more = spares_needed(finding.balance, [NEWCOMER] * 10, 20_000)
    assert sum(finding.balance.weights) < finding.balance.total
    if more is None or finding.accepted:
        return
    best = finding.groups[0].members[0]
    output = next(each.reveal.output for each in executors if each.account == best and each.reveal)
    helpers = [
        replace(executor(20 + number), reveal=with_terms(make_reveal(JOB), output=output))
        for number in range(more)
    ]
    assert crosscheck(judged(*executors, *helpers), TERMS).accepted
    assert not crosscheck(judged(*executors, *helpers[:-1]), TERMS).accepted or more == 1


def test_reaching_an_error_is_exact_at_its_bound() -> None:
    assert reaches(98, 100, 20_000)
    assert not reaches(97_999_999, 100_000_000, 20_000)


def test_an_audit_makes_lying_a_loss() -> None:
    numerator, denominator = audit_chance(None, with_terms(live(), audit_floor=0))
    chance, pay, colluding = Fraction(numerator, denominator), 1, Fraction(2, 10)
    stake = live().exposure_multiple
    assert chance * (1 - colluding) * (pay + stake) > pay


def test_an_audit_is_at_least_as_likely_as_the_floor() -> None:
    assert audit_chance(None, with_terms(live(), audit_floor=9_000)) == (9_000, 10_000)


def test_a_lone_newcomer_is_always_audited() -> None:
    assert audit_chance(0, live()) == (1, 1)
    assert audit_chance(3, live()) == (1, 3)


def test_a_chance_is_compared_exactly() -> None:
    half = 2**63
    assert [chosen(number, 1, 2) for number in (0, half - 1, half, 2**64 - 1)] == [
        True,
        True,
        False,
        False,
    ]
    assert chosen(2**64 - 1, 1, 1)


def test_all_small_votes_agree_with_fractions() -> None:
    for answers in product(b"ab", repeat=4):
        job = judged(*(executor(number, bytes([answer])) for number, answer in enumerate(answers)))
        for group in crosscheck(job, TERMS).groups:
            mine = Fraction(9) ** len(group.members)
            theirs = Fraction(9) ** (4 - len(group.members)) if len(group.members) < 4 else 0
            assert group.confidence_bp == 10_000 * mine // (1 + mine + theirs)
