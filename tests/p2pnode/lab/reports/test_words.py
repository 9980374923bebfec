"""Sentences of a run."""

from p2pnode.lab.reports.words import fault_text, quantile_text, side_name, story, wait_text
from p2pnode.lab.results.reading import Fault
from p2pnode.lab.results.survival import Quantile, Wait
from tests.p2pnode.lab.results.builders import SPLIT, operation, reading


def test_a_run_is_told_from_start_to_recovery() -> None:
    run = reading(
        faults=SPLIT,
        operations=[
            *operation("a", 0, 500.0, {0: 900.0, 1: 950.0}),
            *operation("b", 1, 1_500.0, {0: 4_000.0, 1: 4_100.0}),
        ],
    )
    assert list(story(run, "pass")) == [
        "Passed: no promise was broken, and every fault that was planned took effect.",
        "2 honest nodes ran for 10.00 s. Users asked for 2 operations; the nodes that "
        "were asked accepted 2 and saw 2 of them final, half within 0.40 s.",
        "From 1.00 s to 2.00 s, the network was split into 0 | 1.",
        "While faults were at work, side {1} was asked for 1 operation: 1 accepted and 0 final "
        "within two seconds.",
        "After the last fault, every node had a new final commit within > 8.00 s, all earlier "
        "blocks were everywhere after 0.00 s, and all that waited was final after 2.10 s.",
    ]


def test_many_faults_are_counted() -> None:
    crash = {"kind": "Crash", "nodes": "1", "begin_ms": 1.0, "end_ms": 2.0}
    faults = [crash | {"count": count} for count in (1, 1, 0, 1, 0, 1, 1)]
    assert "7 faults were planned; 5 of them took effect." in list(
        story(reading(faults=faults), "liveness")
    )


def test_dishonesty_is_told_like_a_fault_and_one_group_is_many_nodes() -> None:
    lying = {"kind": "lying", "nodes": "1", "begin_ms": None, "end_ms": None, "count": 2}
    crash = {"kind": "Crash", "nodes": "0", "begin_ms": 1.0, "end_ms": 5_000.0, "count": 1}
    asked = operation("a", 1, 500.0, {1: 900.0})
    told = list(story(reading(faults=[lying, crash], operations=asked), "pass"))
    assert told[2:5] == [
        "For the whole run, node 1 was lying.",
        "From 0.00 s to 5.00 s, node 0 was down, without what it had not made durable.",
        "While faults were at work, all nodes were asked for 1 operation: 1 accepted and 1 final "
        "within two seconds.",
    ]


def test_a_fault_has_a_sentence_which_says_when_it_did_nothing() -> None:
    span = 0.0, 500.0
    assert fault_text(Fault("Crash", (3,), (), (), *span, 1)) == (
        "From 0.00 s to 0.50 s, node 3 was down, without what it had not made durable."
    )
    assert fault_text(Fault("LossBurst", (), (), (), *span, 0)) == (
        "From 0.00 s to 0.50 s, all links lost more than usual; it had no effect."
    )


def test_times_beyond_what_was_watched_say_so() -> None:
    assert wait_text(Wait(1_500.0, has_ended=False)) == "> 1.50 s"
    assert quantile_text(Quantile(250.0)) == "0.25 s"
    assert quantile_text(Quantile(250.0, is_beyond=True)) == "> 0.25 s"
    assert quantile_text(None) == "–"


def test_a_side_is_named_by_its_nodes_while_there_are_few() -> None:
    run = reading(faults=SPLIT)
    assert side_name(run, (0,)) == "side {0}"
    assert side_name(run, tuple(range(9))) == "side of 9"
    assert side_name(reading(), (0, 1)) == "all nodes"
