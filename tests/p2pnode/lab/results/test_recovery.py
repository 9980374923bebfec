"""Recovery by hand."""

from p2pnode.lab.results.recovery import Recovery, recovery
from p2pnode.lab.results.survival import Wait
from tests.p2pnode.lab.results.builders import SPLIT, operation, reading


def vote(node: int, round_: int, decided_ms: float) -> dict[str, str | int | float | bool | None]:
    return {
        "round": round_,
        "leader": 0,
        "verdict": "committed",
        "node": node,
        "decided_ms": decided_ms,
    }


def block(first_ms: float, last_ms: float, nodes: int = 2) -> dict[str, str | int | float | None]:
    return {
        "round": 1,
        "author": 0,
        "accepted_nodes": nodes,
        "accepted_first_ms": first_ms,
        "accepted_last_ms": last_ms,
    }


BLOCKS = [block(1_900.0, 2_400.0), block(1_950.0, 1_990.0, nodes=1), block(2_100.0, 3_000.0)]
VOTES = [vote(0, 1, 900.0), vote(0, 2, 2_250.0), vote(0, 3, 2_350.0), vote(1, 2, 2_600.0)]


def test_recovery_is_measured_from_the_end_of_the_last_fault() -> None:
    operations = operation("a", 0, 1_500.0, {0: 2_700.0, 1: 2_900.0})
    found = recovery(reading(faults=SPLIT, blocks=BLOCKS, votes=VOTES, operations=operations))
    assert found == Recovery(
        2_000.0, Wait(400.0), 1, (((0,), Wait(250.0)), ((1,), Wait(600.0))), Wait(900.0)
    )


def test_what_never_recovers_is_cut_short_by_the_end_of_the_run() -> None:
    operations = operation("a", 0, 1_500.0, {0: 2_700.0})
    found = recovery(reading(faults=SPLIT, votes=VOTES[:2], operations=operations))
    cut = Wait(8_000.0, has_ended=False)
    assert found == Recovery(2_000.0, Wait(0.0), 0, (((0,), Wait(250.0)), ((1,), cut)), cut)


def test_a_run_without_faults_has_nothing_to_recover_from() -> None:
    assert recovery(reading(blocks=BLOCKS, votes=VOTES)) is None


def test_a_run_that_was_cut_short_before_the_heal_has_not_begun_to_recover() -> None:
    operations = operation("a", 0, 1_500.0, {})
    cut_short = reading(ended_ms=1_900.0, faults=SPLIT, votes=VOTES, operations=operations)
    assert recovery(cut_short) is None
