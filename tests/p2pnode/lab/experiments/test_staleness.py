"""Reads of real pools whose links carry nothing."""

import pytest

from p2pnode.lab.experiments.experiment import Effort, Verdict
from p2pnode.lab.experiments.staleness import SHOWN, STRICT, Quorums, measure, tally


def test_the_formula_gives_the_published_values() -> None:
    known = [round(Quorums(3, 1, 1).fresh(k), 3) for k in SHOWN]
    assert known == [0.333, 0.556, 0.704, 0.868, 0.983]
    assert all(one.fresh(1) == 1 for one in STRICT)


def test_a_write_to_everybody_is_never_missed_and_one_to_nobody_always() -> None:
    assert tally(Quorums(2, 2, 1), 20).ages == [20, *[0] * 10]
    assert tally(Quorums(2, 0, 1), 20).ages == [*[0] * 10, 20]


@pytest.mark.slow
def test_few_trials_contradict_no_row_and_every_cut_bites() -> None:
    verdicts = {row.verdict for row in measure(Effort(is_quick=True)).rows}
    assert verdicts <= {Verdict.AGREES, Verdict.UNDECIDED}, verdicts
