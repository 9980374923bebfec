"""Attacks at the published rate, at sizes that take a second: they bite, and scores help."""

import pytest

from p2pnode.lab.experiments.experiment import Effort, Verdict
from p2pnode.lab.experiments.mesh_at_scale import measure_scale

pytestmark = pytest.mark.slow


def test_small_attacks_bite_and_scored_meshes_deliver_in_time() -> None:
    findings = measure_scale(Effort(is_quick=True))
    assert min(row.obtained.bites for row in findings.rows) > 1_000
    in_time = [row for row in findings.rows if row.what.endswith("within 6 s")]
    assert [row.verdict for row in in_time] == [Verdict.AGREES] * 2
    assert len(findings.rows) == 4
    (chart,) = findings.charts
    plain, scored, half = chart.series
    assert sum(share for _, share in scored.points) > sum(share for _, share in plain.points)
    assert {share for _, share in half.points} == {0.5}
    assert len(findings.remarks) == 2
