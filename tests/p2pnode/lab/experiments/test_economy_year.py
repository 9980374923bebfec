"""A year of the economy in few steps, against the equation that it follows."""

import pytest

from p2pnode.lab.experiments.economy_year import known_yield, measure
from p2pnode.lab.experiments.experiment import Effort, Verdict


def test_the_equation_gives_the_rate_where_hardly_anything_is_staked() -> None:
    assert round(known_yield(0), 6) == 0.12
    assert 0.08 < known_yield(100) < 0.0816, "what is minted is not staked by itself"


@pytest.mark.slow
def test_a_year_in_few_steps_agrees_with_every_known_answer() -> None:
    findings = measure(Effort(is_quick=True))
    assert {row.verdict for row in findings.rows} == {Verdict.AGREES}
    assert len(findings.charts) == 3
