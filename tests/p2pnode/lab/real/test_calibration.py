import pytest

from p2pnode.lab.real.calibration import (
    Compared,
    Measured,
    compare,
    line_of,
    measure_simulated,
)
from p2pnode.lab.real.shape import shape_of
from protocol.parameters import local, with_pace
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import Workload
from protocol.units import MILLISECOND, SECOND
from tests.p2pnode.lab.real.builders import scenario


def test_a_ratio_is_judged_on_both_sides_and_only_where_something_is_asked():
    verdicts = [Compared("x", "ms", 100, real, 0.15).verdict for real in (84, 85, 115, 116)]
    assert verdicts == ["MISSED", "met", "met", "MISSED"]
    assert Compared("x", "ms", 100, 500, None).verdict == ""
    assert Compared("x", "ms", 0, 5, 0.1).verdict == "MISSED"


def test_the_comparison_has_the_agreed_tolerances():
    simulated = Measured(tuple(range(100, 200)), 50.0, 4.0)
    real = Measured(tuple(range(110, 210)), 60.0, 3.0)
    found = {row.name: (row.tolerance, round(row.ratio, 2)) for row in compare(simulated, real)}
    assert found == {
        "operation final at its own node, p50": (0.15, 1.07),
        "operation final at its own node, p99": (0.30, 1.05),
        "messages of all nodes": (0.10, 1.2),
        "messages per commit of a node": (None, 1.6),
        "commits of a node": (None, 0.75),
        "operations measured": (None, 1.0),
    }


def test_a_row_says_figures_ratio_and_verdict():
    line = line_of(Compared("messages", "/s", 50.0, 60.0, 0.10))
    assert line.split() == ["messages", "50.0", "60.0", "/s", "1.20x", "within", "10%", "MISSED"]


@pytest.mark.slow
def test_the_simulated_side_measures_every_request_within_the_pace():
    delay = Delay(Law.CONSTANT, 30 * MILLISECOND, 0)
    shape = shape_of(
        scenario(
            conditions=Conditions(delay),
            parameters=with_pace(local(), 250, 1_000),
            workload=Workload(10, 0, 5 * SECOND),
        ),
        cores=2,
    )
    found = measure_simulated(shape)
    assert len(found.finality_ms) == 10
    assert all(90 <= one <= 4_000 for one in found.finality_ms)
    assert 0 < found.commits <= 4
    assert found.messages >= 3 * 4 * found.commits
