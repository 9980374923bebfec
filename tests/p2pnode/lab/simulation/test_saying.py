import math

from p2pnode.lab.simulation.library import parse_scenario
from p2pnode.lab.simulation.saying import expectation_line, figure, metrics, sweep_table
from tests.p2pnode.lab.simulation.builders import FAULT, text


def row(cell: int, outcome: str, recovery: object) -> dict[str, object]:
    return {
        "cell": cell,
        "outcome": outcome,
        "changes": {"fault.0.for": f"{cell} s"},
        "broken": ["liveness"] if outcome == "liveness" else [],
        "unknown": ["accountability"],
        "metrics": {"recovery_backlog_ms": recovery, "available_final": 0.5},
    }


def test_what_never_happened_is_said_with_a_word_and_what_was_cut_short_with_a_sign() -> None:
    told = metrics({"recovery_backlog_ms": {"beyond_ms": 7_000.0}, "jobs": 2})
    assert told == {"recovery_backlog_ms": "> 7000", "jobs": "2"}
    assert [figure(one, later=True) for one in (math.inf, -math.inf, 1.5, 2.0, 0.01714)] == [
        "+never",
        "-never",
        "1.5",
        "2",
        "0.01714",
    ]


def test_a_sweep_has_one_line_for_each_cell() -> None:
    beyond = {"beyond_ms": 8}
    rows = [row(1, "pass", 5), row(0, "pass", 7), row(0, "liveness", beyond), row(0, "pass", 9)]
    assert list(sweep_table(rows)) == [
        {
            "cell": "0",
            "fault.0.for": "0 s",
            "runs": "3",
            "outcomes": "1 liveness, 2 pass",
            "broken": "liveness 1",
            "unknown": "accountability 3",
            "available_final": "0.5",
            "recovery_backlog_ms": "9",
        },
        {
            "cell": "1",
            "fault.0.for": "1 s",
            "runs": "1",
            "outcomes": "1 pass",
            "broken": "-",
            "unknown": "accountability 1",
            "available_final": "0.5",
            "recovery_backlog_ms": "5",
        },
    ]


def test_enough_seeds_have_an_interval_in_which_what_was_cut_short_is_marked() -> None:
    waits: list[object] = [3, 4, 5, 6, {"beyond_ms": 70}]
    (told,) = sweep_table([row(0, "pass", wait) for wait in waits])
    assert told["recovery_backlog_ms"] == "5 [3, > 70]"
    assert told["available_final"] == "0.5 [0.5, 0.5]"


def test_what_is_expected_is_said_beside_what_came() -> None:
    lines = text(fault=FAULT + '[expect]\noutcome = "safety"\ninvariant = "agreement"\n')
    described = parse_scenario(lines)
    assert expectation_line(described, True) == "  as expected: safety of agreement"
    assert expectation_line(parse_scenario(text()), False) == "  NOT as expected: pass"
