"""How long and how many: figures by hand."""

from p2pnode.lab.results.survival import Wait
from p2pnode.lab.results.waiting import (
    Answered,
    Stability,
    availability,
    finality_waits,
    provisional_gaps,
    stability,
)
from tests.p2pnode.lab.results.builders import SPLIT, operation, reading

RUN = reading(
    faults=SPLIT,
    operations=[
        *operation("a", 0, 500.0, {0: 800.0, 1: 850.0}),
        *operation("b", 0, 1_500.0, {0: 4_000.0, 1: 3_900.0}),
        *operation("c", 1, 1_600.0, {0: 2_100.0}),
        *operation("d", 1, 3_000.0, {}),
        *operation("e", 1, 400.0, {0: 900.0, 1: 900.0}, is_request=False),
        {"is_request": True, "asker": 1, "asked_ms": 1_700.0, "status": "unanswered"},
    ],
)


def test_finality_is_measured_at_the_node_that_was_asked() -> None:
    assert finality_waits(RUN) == [
        Wait(300.0),
        Wait(2_500.0),
        Wait(8_400.0, has_ended=False),
        Wait(7_000.0, has_ended=False),
    ]


def test_finality_belongs_to_a_side_and_a_part_of_the_run() -> None:
    assert finality_waits(RUN, (0,), "before") == [Wait(300.0)]
    assert finality_waits(RUN, (0,), "during") == [Wait(2_500.0)]
    assert finality_waits(RUN, (1,), "during") == [Wait(8_400.0, has_ended=False)]
    assert finality_waits(RUN, (1,), "after") == [Wait(7_000.0, has_ended=False)]
    assert finality_waits(RUN, (0,), "after") == []


def test_a_gap_starts_with_the_first_block_at_the_node_that_was_asked() -> None:
    assert provisional_gaps(RUN) == [Wait(50.0), Wait(50.0)]


def test_availability_counts_what_nobody_answered_as_attempted() -> None:
    assert availability(RUN) == Answered(attempted=5, seen=4, in_block=1, final=1)
    assert availability(RUN, (1,), "during") == Answered(2, 1, 0, 0)
    assert availability(RUN, (0,), "during", within_ms=2_500.0) == Answered(1, 1, 1, 1)


def test_an_operation_is_stable_once_no_node_lacks_it() -> None:
    assert stability(RUN) == Stability(
        (Wait(50.0), Wait(100.0), Wait(7_900.0, has_ended=False), Wait(0.0)),
        lost=1,
        never_final=1,
    )


def test_a_run_without_faults_has_no_parts() -> None:
    calm = reading(operations=operation("a", 0, 500.0, {0: 800.0}))
    assert finality_waits(calm, (0, 1), "during") == [Wait(300.0)]


def test_what_a_dishonest_node_asks_for_is_no_request_that_waits() -> None:
    of_users = operation("a", 0, 500.0, {0: 800.0, 1: 850.0})
    own = operation("f", 7, 500.0, {0: 900.0, 1: 900.0})
    run = reading(operations=[*of_users, *own])
    assert finality_waits(run) == [Wait(300.0)]
    assert availability(run) == Answered(attempted=1, seen=1, in_block=1, final=1)
    assert len(stability(run).stable) == 2
