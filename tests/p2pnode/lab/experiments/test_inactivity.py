"""The time until a leak bites follows from weights alone, and the quick form agrees with it."""

import pytest

from p2pnode.lab.experiments.experiment import Effort, Verdict
from p2pnode.lab.experiments.inactivity import expected_s, measure
from p2pnode.lab.experiments.leak import kept_weight
from protocol.ledger.committee import quorum_of
from protocol.units import Weight

WEIGHT = 5_000


def periods_by_trying(present: int, absent: int) -> int:
    """Leaks with the integers of the leak itself, until those who are present are a quorum."""
    periods = 0
    while True:
        total = present * WEIGHT + absent * kept_weight(WEIGHT, periods)
        if present * WEIGHT >= quorum_of(Weight(total), churn_profile=False):
            return periods
        periods += 1


@pytest.mark.parametrize(("present", "absent"), [(16 - lost, lost) for lost in range(6, 13)])
def test_the_formula_is_what_the_integers_come_to(present: int, absent: int) -> None:
    assert expected_s(present, absent) == 5 * periods_by_trying(present, absent)
    late = expected_s(present, absent, noticed_s=6)
    assert late == expected_s(present, absent) + 5, "it begins in the second period"


@pytest.mark.slow
def test_few_runs_agree_with_every_row() -> None:
    rows = measure(Effort(is_quick=True)).rows
    assert {row.verdict for row in rows} == {Verdict.AGREES}
    assert len(rows) == 7
