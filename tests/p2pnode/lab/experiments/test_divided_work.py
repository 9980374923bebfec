"""A network that goes on being asked for operations while it is cut in two."""

import pytest

from p2pnode.lab.experiments.divided_work import divide_work, slope
from protocol.units import SECOND


def test_the_slope_is_that_of_the_straight_line() -> None:
    assert slope(((1.0, 5), (2.0, 7), (4.0, 11))) == 2
    assert slope(((0.0, 0), (1.0, 3), (2.0, 0))) == 0


@pytest.mark.slow
def test_the_side_with_a_quorum_finalises_and_both_accept() -> None:
    seen = divide_work(4, 1, 8 * SECOND, 1)
    assert seen.quorum == (True, False)
    assert seen.cut > 10
    assert len(seen.asked) == 32
    assert all(one.accepted for one in seen.asked)
    assert {one.node for one in seen.asked if one.is_old and one.is_final} == {1, 2, 3}
    assert all(one.is_final for one in seen.asked if one.is_old and one.node > 0)
    assert seen.divergence == tuple((float(second), 4 * second) for second in range(1, 8))
    assert seen.recovery_ns is not None
    assert seen.recovery_ns < 10 * SECOND
