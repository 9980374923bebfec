"""Audits: what whole jobs bring, where lying stops to pay, and lives of cheaters."""

import pytest

from p2pnode.lab.experiments.audits import (
    Gains,
    career,
    crossing,
    gains_of,
    known_crossing,
    measure,
)
from p2pnode.lab.experiments.experiment import Effort, Verdict

PAY = 10_000


def test_a_caught_lie_costs_the_pledge_and_the_others_bring_the_pay() -> None:
    assert gains_of(2) == Gains(PAY, PAY, PAY, -2 * PAY)


def test_the_known_rate_falls_with_the_pledge() -> None:
    assert [round(known_crossing(one), 4) for one in (1, 2, 20)] == [0.5, 0.3333, 0.0476]


def test_the_crossing_is_near_the_known_rate() -> None:
    rate, audited = crossing(2, 2_000)
    assert abs(rate / known_crossing(2) - 1) < 0.1
    assert audited > 500


def test_a_cheater_loses_against_honesty_and_gains_where_only_its_record_counts() -> None:
    honest = career(17, 10_000, cheats=0)
    cheat = career(17, 10_000, cheats=2_000)
    patient = career(17, 10_000, cheats=200, by_checks_alone=True)
    assert honest.profit == 2_000 * honest.jobs
    assert cheat.caught > 10
    assert cheat.profit < honest.profit < patient.profit
    assert (honest.caught, honest.lies) == (0, 0)
    assert honest.audits > 0


@pytest.mark.slow
def test_few_draws_contradict_no_row() -> None:
    verdicts = {row.verdict for row in measure(Effort(is_quick=True)).rows}
    assert verdicts <= {Verdict.AGREES, Verdict.UNDECIDED}
