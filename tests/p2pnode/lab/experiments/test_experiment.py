"""How rows are judged."""

from p2pnode.lab.experiments.experiment import (
    Effort,
    Obtained,
    Row,
    Verdict,
    at_most,
    counted,
    exactly,
    within,
)


def verdict(value: float, low: float, high: float, bites: int = 1) -> Verdict:
    return Row("", within(0.5, 0.1), Obtained(value, low, high, 10, bites)).verdict


def test_a_value_within_the_tolerance_agrees_whatever_its_interval() -> None:
    assert verdict(0.6, 0.2, 0.9) is Verdict.AGREES


def test_a_value_outside_differs_only_when_chance_cannot_explain_it() -> None:
    assert verdict(0.65, 0.55, 0.75) is Verdict.UNDECIDED
    assert verdict(0.65, 0.61, 0.69) is Verdict.DIFFERS
    assert verdict(0.35, 0.31, 0.39) is Verdict.DIFFERS


def test_a_fault_that_never_bit_proves_nothing() -> None:
    assert verdict(0.5, 0.5, 0.5, bites=0) is Verdict.NO_BITE


def test_a_counted_value_is_never_undecided() -> None:
    assert Row("", exactly(3), counted(3, 1, 1)).verdict is Verdict.AGREES
    assert Row("", exactly(3), counted(3.001, 1, 1)).verdict is Verdict.DIFFERS
    assert Row("", at_most(3), counted(3.5, 1, 1)).verdict is Verdict.DIFFERS
    assert Row("", at_most(3), counted(0, 1, 1)).verdict is Verdict.AGREES


def test_expectations_say_their_tolerance() -> None:
    assert [one.text for one in (exactly(1), within(0.333, 0.01), at_most(7.9))] == [
        "1",
        "0.333 ± 0.01",
        "≤ 7.9",
    ]


def test_a_quick_effort_takes_the_smaller_amount() -> None:
    assert (Effort(is_quick=True).of(5, 2), Effort(is_quick=False).of(5, 2)) == (2, 5)
