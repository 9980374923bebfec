import json
import time

from p2pnode.lab.real.watch import Clock
from protocol.simulator.scenario import START_NS
from protocol.units import MILLISECOND, SECOND
from tests.p2pnode.lab.real import builders


def rows_of(folder, node):
    return [json.loads(line) for line in (folder / f"node-{node}.jsonl").read_text().splitlines()]


def test_facts_are_kept_by_line_with_the_time_of_the_scenario(tmp_path):
    with builders.watch(tmp_path, nodes=2) as watch:
        watch.clock = Clock(0, 40 * SECOND - START_NS)
        watch.fact(1, builders.commit(3, 41_500))
    assert rows_of(tmp_path, 0) == []
    (row,) = rows_of(tmp_path, 1)
    assert (row["time_ns"], row["node"], row["index"]) == (START_NS + 1_500 * MILLISECOND, 1, 3)
    assert watch.reached(1) == 3


def test_an_operation_and_a_job_have_ended_when_any_node_says_so(tmp_path):
    with builders.watch(tmp_path) as watch:
        watch.fact(0, {"fact": "operation_applied", "identifier": "ab", "at_ms": 9})
        watch.fact(1, {"fact": "operation_failed", "identifier": "ab", "at_ms": 12})
        watch.fact(2, {"fact": "settled", "job": "cd", "at_ms": 15})
    assert watch.ended == {"ab": 9 * MILLISECOND}
    assert watch.settled == {"cd": 15 * MILLISECOND}


def test_what_was_missed_is_counted_and_said(tmp_path):
    with builders.watch(tmp_path) as watch:
        watch.stream(2, is_open=True)
        watch.fact(2, builders.commit(1, 5) | {"missed": 7})
        watch.stream(2, is_open=False)
    assert (watch.missed, watch.gaps) == (7, 1)
    names = [row["fact"] for row in rows_of(tmp_path, 2)]
    assert names == ["stream_opened", "commit_applied", "stream_broken"]


def test_what_a_node_with_a_wrong_clock_says_is_timed_by_its_arrival(tmp_path):
    with builders.watch(tmp_path) as watch:
        watch.skewed = frozenset((1,))
        watch.clock = Clock(time.monotonic_ns() - 50 * SECOND, 0)
        watch.fact(1, builders.commit(1, 60_000))
        watch.fact(0, builders.commit(1, 60_000))
    ((arrived_ns, ahead_ns),) = watch.errors[1]
    assert 50 * SECOND <= arrived_ns < 60 * SECOND
    assert ahead_ns == 60 * SECOND - arrived_ns
    assert [commits[1].time_ns for commits in watch.commits[:2]] == [60 * SECOND, arrived_ns]
