"""Three message delays."""

import pytest

from p2pnode.lab.experiments.commit_latency import measure
from p2pnode.lab.experiments.experiment import Effort, Verdict


@pytest.mark.slow
def test_a_leader_of_four_is_final_after_three_equal_delays_and_later_after_uneven_ones() -> None:
    findings = measure(Effort(is_quick=True))
    assert [row.verdict for row in findings.rows] == [Verdict.AGREES] * 2
    means = {series.label: series.points for series in findings.charts[0].series}
    ((_, even),), ((_, uneven),) = means["leader"], means["leader with uneven delays"]
    assert even == 3 < uneven
