"""Tables as typed values."""

from p2pnode.lab.results.reading import Fault, Window
from tests.p2pnode.lab.results.builders import SPLIT, operation, reading


def test_sides_and_window_come_from_the_faults() -> None:
    crash = {"kind": "Crash", "nodes": "1", "begin_ms": 500.0, "end_ms": 700.0, "count": 1}
    found = reading(faults=[crash, *SPLIT])
    assert found.sides == ((0,), (1,))
    assert found.window == Window(500.0, 2_000.0)
    assert [found.window.part(time) for time in (499.0, 500.0, 2_000.0)] == [
        "before",
        "during",
        "after",
    ]


def test_a_run_without_faults_is_one_side_without_a_window() -> None:
    found = reading(nodes=3)
    assert (found.sides, found.window, found.nodes) == (((0, 1, 2),), None, (0, 1, 2))


def test_a_cut_names_its_directed_links() -> None:
    row = {"kind": "Cut", "nodes": "0 2", "cut_links": "0>2 2>0", "count": 0}
    assert reading(faults=[row]).faults == (
        Fault("Cut", (0, 2), (), ((0, 2), (2, 0)), None, None, 0),
    )


def test_the_rows_of_an_operation_are_one_value() -> None:
    (found,) = reading(operations=operation("a", 1, 5.0, {1: 90.0})).operations
    assert (found.identifier, found.asker, found.begun_ms) == ("a", 1, 5.0)
    assert (found.final_ms, found.in_block_ms) == ({1: 90.0}, {1: 40.0})


def test_payments_and_phases_of_a_job_are_read() -> None:
    row = {"job": "a", "payouts_microcredits": "1:5 1:6", "executors": "2 1", "settled_ms": 9.0}
    (job,) = reading(jobs=[row]).jobs
    assert (job.payouts, job.executors, job.phases_ms) == ({1: 11}, (2, 1), {"settled": 9.0})
