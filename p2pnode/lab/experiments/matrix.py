"""Every partition of small networks with all that may happen around it: nothing may break."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

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
from protocol.simulator.partition_matrix import EVENTS_MAX, Cell, Shape, cells, play_cell
from protocol.simulator.run import Verdict

STRIDE: Final = 149
"""With little effort every so many cells are played: a number that no cycle of them divides."""


@dataclass(frozen=True, slots=True)
class Played:
    """One cell and what it came to.

    Attributes:
        bites: Of the fault that bit least.
    """

    cell: Cell
    verdict: Verdict
    bites: int


def measure(effort: Effort) -> Findings:
    """Plays the cells."""
    played = [play(cell) for cell in list(cells())[:: effort.of(1, STRIDE)]]
    rows = [_row(shape, [one for one in played if one.cell.shape is shape]) for shape in Shape]
    silent = sum(not one.bites for one in played)
    what = "cells in which a cut or a crash never bit"
    rows.append(Row(what, exactly(0), counted(silent, len(played), len(played) - silent)))
    return Findings(tuple(rows), (_chart(played),))


def play(cell: Cell) -> Played:
    """Plays one cell."""
    outcome = play_cell(cell)
    return Played(cell, outcome.verdict, min(bite.count for bite in outcome.bites))


def _row(shape: Shape, played: Sequence[Played]) -> Row:
    broken = sum(one.verdict is not Verdict.PASS for one in played)
    what = f"{shape.value}: cells that broke a promise, crashed, or showed nothing"
    bites = sum(one.bites > 0 for one in played)
    return Row(what, exactly(0), counted(broken, len(played), bites))


def _chart(played: Sequence[Played]) -> Chart:
    series = []
    for shape in Shape:
        mine = [len(one.cell.script) for one in played if one.cell.shape is shape]
        points = tuple((float(n), float(mine.count(n))) for n in range(EVENTS_MAX + 1))
        series.append(Series(f"{shape.value}, played", Mark.DOTS, points))
    broken = [len(one.cell.script) for one in played if one.verdict is not Verdict.PASS]
    points = tuple((float(n), float(broken.count(n))) for n in range(EVENTS_MAX + 1))
    series.append(Series("not passed, all shapes", Mark.STEPS, points))
    return Chart("Cells by what happens around the cut", "events", "cells", tuple(series))


EXPERIMENT: Final = Experiment(
    name="partition-matrix",
    title="The matrix of partitions",
    question="Does any cut of three to five nodes with three events around it break a promise?",
    method=(
        "`protocol.simulator.partition_matrix` isolates one node, cuts two off from each other "
        "while others see both, or leaves a ring; a crash, a transfer or a job may happen before, "
        "during and after. All promises of `protocol.simulator.checks` are judged."
    ),
    bite="cells in which each planned cut and crash did something",
    source=(
        "A. Alquraan et al., *An Analysis of Network-Partitioning Failures in Cloud Systems*, OSDI "
        "2018: most failures need three nodes, one cut and at most three events"
    ),
    caption="How many cells of each kind were played, and how many did not pass.",
    measure=measure,
)
