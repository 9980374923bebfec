"""The probabilities of a quorum, known and obtained."""

import pytest

from p2pnode.lab.experiments.experiment import Effort, Verdict
from p2pnode.lab.experiments.quorums import (
    available,
    drawn_availability,
    drawn_bipartition,
    judge_of,
    keeps_quorum,
    measure_availability,
    measure_bipartition,
)


def test_the_formulas_give_the_published_values() -> None:
    small = [round(available(members, 0.1), 4) for members in (4, 7, 31)]
    assert small == [0.9477, 0.9743, 0.9999]
    large = [round(available(members, 0.3), 3) for members in (4, 7, 31, 100)]
    assert large == [0.652, 0.647, 0.688, 0.779]
    assert [round(keeps_quorum(n), 4) for n in (4, 7, 31, 100)] == [0.625, 0.4531, 0.0708, 0.0009]


def test_a_large_committee_is_judged_like_a_small_one() -> None:
    small, large = judge_of(64), judge_of(100)
    assert [small((1 << count) - 1) for count in (42, 43)] == [False, True]
    assert [large((1 << count) - 1) for count in (66, 67)] == [False, True]


def test_drawn_sets_count_what_failed_and_what_was_left() -> None:
    sure, hopeless = drawn_availability(7, 0, 50), drawn_availability(7, 1_000_000, 50)
    assert (sure.value, sure.bites) == (1, 0)
    assert (hopeless.value, hopeless.bites) == (0, 350)
    assert drawn_bipartition(7, 100).bites in range(90, 101)


@pytest.mark.slow
def test_few_cases_contradict_no_row_and_every_fault_bites() -> None:
    effort = Effort(is_quick=True)
    crashed, divided = measure_availability(effort).rows, measure_bipartition(effort).rows
    verdicts = {row.verdict for row in (*crashed, *divided)}
    assert verdicts <= {Verdict.AGREES, Verdict.UNDECIDED}, verdicts
    assert (crashed[0].obtained.trials, crashed[0].obtained.bites) == (16, 32)
    assert divided[0].obtained.trials == 8
