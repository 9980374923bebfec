import json
from types import SimpleNamespace

import pytest

from p2pnode.lab.real.calibration import (
    Compared,
    Counter,
    Measured,
    compare,
    line_of,
    measure_real,
    measure_simulated,
)
from p2pnode.lab.real.shape import shape_of
from p2pnode.lab.real.watch import Sample
from protocol.parameters import local, with_pace
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.run import play
from protocol.simulator.scenario import START_NS, Workload
from protocol.simulator.world import START_SPREAD_NS
from protocol.units import MILLISECOND, SECOND
from tests.p2pnode.lab.real.builders import scenario, watch
from tests.p2pnode.lab.real.scribe import written


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


def test_what_nodes_wrote_measures_as_a_recorder_does(tmp_path):
    left, _ = written("calm")
    steps = tmp_path / "node-0.jsonl"
    steps.write_text("".join(json.dumps(row) + "\n" for row in left.steps))
    counters = {"network_published_total": 10.0, "network_sent_total": 4.0}
    window_ns = left.scenario.workload.span_ns
    begin_ns = START_NS + START_SPREAD_NS
    with watch(tmp_path / "nodes", nodes=5) as seen:
        seen.samples[0] += [Sample(begin_ns, {}), Sample(begin_ns + SECOND, counters)]
    shape = shape_of(left.scenario, cores=2)
    found = measure_real(shape, SimpleNamespace(watch=seen), tmp_path)
    simulated = Counter(5, (begin_ns, begin_ns + window_ns))
    play(left.scenario, recorders=(simulated,))
    whole = simulated.measured(10.0 * 4 + 4.0)
    assert found == whole
    assert len(found.finality_ms) == 10


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
