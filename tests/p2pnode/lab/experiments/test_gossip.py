"""Gossip against theory and published simulations, at sizes that take a second."""

import pytest

from p2pnode.lab.experiments.experiment import Effort, Findings, Verdict
from p2pnode.lab.experiments.gossip import (
    measure_attacks,
    measure_deliveries,
    measure_infection,
    measure_push,
    missing_share,
)

EFFORT = Effort(is_quick=True)


def verdicts(findings: Findings) -> set[Verdict]:
    return {row.verdict for row in findings.rows}


def test_the_share_that_misses_a_message_solves_its_equation() -> None:
    known = [round(missing_share(fan_out), 5) for fan_out in (3, 4, 6, 8)]
    assert known == [0.05952, 0.01983, 0.00252, 0.00034]
    assert missing_share(0) == 1


def test_few_rumours_contradict_no_row() -> None:
    assert verdicts(measure_push(EFFORT)) <= {Verdict.AGREES, Verdict.UNDECIDED}


def test_few_infections_contradict_no_row() -> None:
    assert verdicts(measure_infection(EFFORT)) <= {Verdict.AGREES, Verdict.UNDECIDED}


@pytest.mark.slow
def test_a_small_mesh_delivers_everything_in_about_the_published_copies() -> None:
    assert verdicts(measure_deliveries(EFFORT)) == {Verdict.AGREES}


@pytest.mark.slow
def test_small_attacks_agree_in_sign_and_order_and_swallow_messages() -> None:
    findings = measure_attacks(EFFORT)
    assert verdicts(findings) == {Verdict.AGREES}
    assert all(row.obtained.bites > 1_000 for row in findings.rows)
