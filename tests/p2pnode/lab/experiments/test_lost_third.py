"""One credit more than what is tolerated."""

import pytest

from p2pnode.lab.experiments.experiment import Effort, Verdict
from p2pnode.lab.experiments.lost_third import TO_THE_CREDIT, expected_recovery, measure


def test_the_two_committees_differ_by_one_credit() -> None:
    assert [(sum(stakes), stakes[-1]) for stakes in TO_THE_CREDIT] == [
        (10_000, 3_333),
        (10_000, 3_334),
    ]


def test_a_cut_that_breaks_no_connection_ends_with_a_summary_and_no_sooner() -> None:
    """A second between summaries is ten delays, where the prototype compared after three."""
    assert round(expected_recovery(8, 30), 1) == round(7.9 - 3 + 10, 1)
    # Connections that broke are redialled after three delays, as the prototype compared.
    assert round(expected_recovery(8, 120), 1) == 7.9
    assert round(expected_recovery(5, 120), 1) == 6.1


@pytest.mark.slow
def test_few_losses_agree_with_every_row() -> None:
    rows = measure(Effort(is_quick=True)).rows
    assert {row.verdict for row in rows} == {Verdict.AGREES}
    assert len(rows) == 9
