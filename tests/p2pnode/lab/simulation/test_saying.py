import math

from p2pnode.lab.simulation.library import parse_scenario
from p2pnode.lab.simulation.saying import expectation_line, figure, measures, sweep_table
from tests.p2pnode.lab.simulation.builders import FAULT, text


def row(cell: int, outcome: str, recovery: int | None) -> dict[str, object]:
    return {
        "cell": cell,
        "outcome": outcome,
        "changes": {"fault.0.for": f"{cell} s"},
        "metrics": {"recovery_ms": recovery},
    }


def test_what_never_happened_is_said_with_a_word() -> None:
    assert measures({"recovery_ms": None, "jobs": 2}) == {"recovery_ms": "never", "jobs": "2"}
    assert [figure(one, later=True) for one in (math.inf, -math.inf, 1.5, 2.0)] == [
        "+never",
        "-never",
        "1.5",
        "2",
    ]


def test_a_sweep_has_one_line_for_each_cell() -> None:
    rows = [row(1, "pass", 5), row(0, "pass", 7), row(0, "liveness", None), row(0, "pass", 9)]
    assert list(sweep_table(rows)) == [
        {
            "cell": "0",
            "fault.0.for": "0 s",
            "runs": "3",
            "outcomes": "1 liveness, 2 pass",
            "recovery_ms": "9",
        },
        {"cell": "1", "fault.0.for": "1 s", "runs": "1", "outcomes": "1 pass", "recovery_ms": "5"},
    ]


def test_what_is_expected_is_said_beside_what_came() -> None:
    lines = text(fault=FAULT + '[expect]\noutcome = "safety"\ninvariant = "agreement"\n')
    described = parse_scenario(lines)
    assert expectation_line(described, True) == "  as expected: safety of agreement"
    assert expectation_line(parse_scenario(text()), False) == "  NOT as expected: pass"
