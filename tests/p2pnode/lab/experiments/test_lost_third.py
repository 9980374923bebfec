"""One credit more than what is tolerated."""

import pytest

from p2pnode.lab.experiments.experiment import Effort, Verdict
from p2pnode.lab.experiments.lost_third import TO_THE_CREDIT, measure


def test_the_two_committees_differ_by_one_credit() -> None:
    assert [(sum(stakes), stakes[-1]) for stakes in TO_THE_CREDIT] == [
        (10_000, 3_333),
        (10_000, 3_334),
    ]


@pytest.mark.slow
def test_few_losses_agree_with_every_row() -> None:
    rows = measure(Effort(is_quick=True)).rows
    assert {row.verdict for row in rows} == {Verdict.AGREES}
    assert len(rows) == 9
