"""Experiments that cost nothing."""

from p2pnode.lab.experiments.experiment import (
    Chart,
    Effort,
    Experiment,
    Findings,
    Mark,
    Row,
    Series,
    counted,
    exactly,
)


def a_row(value: float = 3, bites: int = 5) -> Row:
    return Row("delays", exactly(3), counted(value, 1_200, bites))


def a_chart(count: int = 2) -> Chart:
    points = tuple((float(x), x * 0.5) for x in range(1, count + 1))
    errors = tuple((y - 0.1, y + 0.2) for _, y in points)
    series = (
        Series("half, known", Mark.LINE, points),
        Series("half, obtained", Mark.DOTS, points, errors),
        Series("one by one", Mark.STEPS, points),
    )
    return Chart("Halves", "number", "half of it", series, is_log=count > 2)


def an_experiment(name: str = "halving", *rows: Row) -> Experiment:
    def measure(effort: Effort) -> Findings:
        return Findings(rows or (a_row(),), (a_chart(),), (f"Effort {effort.of(2, 1)}.",))

    return Experiment(
        name=name,
        title="Halving a number: how?",
        question="What is half of it?",
        method="Division.",
        bite="divisions",
        source="Euclid",
        caption="Lines and dots.",
        measure=measure,
    )
