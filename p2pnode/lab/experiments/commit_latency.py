"""How many message delays a leader's block takes to be final, when every delay is the same."""

from collections.abc import Iterator
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
from protocol.simulator.latency import DELAY_NS, Latency, Spread, measure_latency
from protocol.simulator.network import Delay, Law

SIZES: Final = (4, 7, 10, 16)
DELAYS: Final = 3
"""From the proposal of a leader's block to its commit: the block, the votes, the certificates."""
CONSTANT: Final = Delay(Law.CONSTANT, DELAY_NS, DELAY_NS)
UNIFORM: Final = Delay(Law.UNIFORM, DELAY_NS // 2, DELAY_NS * 3 // 2)


def measure(effort: Effort) -> Findings:
    """Runs calm networks of several sizes; the uneven delays are the control."""
    sizes, seconds = SIZES[: effort.of(len(SIZES), 1)], effort.of(10, 5)
    constant = {size: measure_latency(size, CONSTANT, 1, seconds) for size in sizes}
    uneven = {size: measure_latency(size, UNIFORM, 1, seconds) for size in sizes}
    rows = [row for size, found in constant.items() for row in _rows(size, found)]
    remarks = tuple(_remark(size, constant[size], uneven[size]) for size in sizes)
    return Findings(tuple(rows), (_chart(constant, uneven),), remarks)


def _rows(size: int, found: Latency) -> Iterator[Row]:
    leaders = found.leaders
    for what, value in (("mean", leaders.mean), ("slowest", leaders.longest)):
        obtained = counted(value / 1_000, leaders.count, leaders.count)
        yield Row(f"n={size}: delays until a leader is final, {what}", exactly(DELAYS), obtained)


def _remark(size: int, constant: Latency, uneven: Latency) -> str:
    return (
        f"n={size}, mean delays until final: any block {_mean(constant.blocks)}, an operation "
        f"{_mean(constant.operations)}. With delays from 0.5 to 1.5 (control): a leader "
        f"{_mean(uneven.leaders)}, any block {_mean(uneven.blocks)}, an operation "
        f"{_mean(uneven.operations)}."
    )


def _mean(spread: Spread) -> str:
    return f"{spread.mean / 1_000:.2f}"


def _chart(constant: dict[int, Latency], uneven: dict[int, Latency]) -> Chart:
    ends = (float(min(constant)), float(max(constant)))
    series = (
        Series("leader, expected", Mark.LINE, tuple((x, float(DELAYS)) for x in ends)),
        _series("leader", {size: one.leaders for size, one in constant.items()}),
        _series("any block", {size: one.blocks for size, one in constant.items()}),
        _series("operation", {size: one.operations for size, one in constant.items()}),
        _series("leader with uneven delays", {size: one.leaders for size, one in uneven.items()}),
    )
    return Chart("Mean time until final", "committee members", "message delays", series)


def _series(label: str, spreads: dict[int, Spread]) -> Series:
    points = tuple((float(size), spread.mean / 1_000) for size, spread in spreads.items())
    return Series(label, Mark.DOTS, points)


EXPERIMENT: Final = Experiment(
    name="commit-latency",
    title="Commit latency under constant delay",
    question="How many message delays pass from the proposal of a leader's block to its commit?",
    method=(
        "`protocol.simulator.latency` runs real cores with all pacing off, and measures at every "
        "node from the proposal of a block to its commit there."
    ),
    bite="no fault is planned: the leaders that were measured; uneven delays must show as more",
    source=(
        "K. Babel et al., *Mysticeti: Reaching the Latency Limits with Uncertified DAGs*, NDSS "
        "2025 (arXiv 2310.14821): three message delays"
    ),
    caption="One delay is 100 ms on every link; uneven delays are uniform from 50 to 150 ms.",
    measure=measure,
)
