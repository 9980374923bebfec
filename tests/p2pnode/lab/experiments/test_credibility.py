"""Credibility voting: the control's exact numbers, and one life of a network."""

from fractions import Fraction

import pytest

from p2pnode.lab.experiments.credibility import (
    ERRORS_PPM,
    JOBS,
    Network,
    measure,
    play,
    runs_to,
    votes_needed,
    wrong_first,
)
from p2pnode.lab.experiments.experiment import Effort, Verdict


def test_the_control_follows_from_the_binomial_distribution() -> None:
    assert wrong_first(1, 35) == Fraction(35, 100)
    assert wrong_first(2, 35) == Fraction(35, 100) ** 2 * (3 - 2 * Fraction(35, 100))
    assert [votes_needed(error_ppm, 35) for error_ppm in ERRORS_PPM] == [15, 29, 51]
    assert runs_to(1, 35) == 1
    assert runs_to(2, 50) == Fraction(5, 2)


def test_a_life_keeps_the_records_that_the_protocol_keeps() -> None:
    network = play(35, 10_000, 0)
    assert len(network.runs) == JOBS
    assert network.lies > JOBS // 3, "liars were drawn"
    assert network.wrong * 100 <= JOBS
    assert max(one.checks for one in network.records.values()) > 10
    assert sum(one.wrong > 0 for one in network.records.values()) > 50, "and caught"


def test_newcomers_need_more_runs_than_workers_with_a_record() -> None:
    network = play(35, 1_000, 1)
    assert sum(network.runs[:100]) > 2 * sum(network.runs[-100:])


def test_where_nearly_everybody_lies_lies_are_accepted() -> None:
    network = Network(percent=10, error_ppm=50_000, number=0, lying=90)
    for at in range(50):
        network.play(at)
    assert network.wrong > 25, "the measure notices"


@pytest.mark.slow
def test_few_networks_contradict_no_row() -> None:
    verdicts = {row.verdict for row in measure(Effort(is_quick=True)).rows}
    assert verdicts <= {Verdict.AGREES, Verdict.UNDECIDED}
