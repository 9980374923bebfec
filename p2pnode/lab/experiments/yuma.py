"""How useful an honest majority must be to keep its share, where a cabal praises itself.

The published Monte Carlo study of Yuma consensus, played on the project's own rule that merges
observations. What servers and observers are paid is mixed here: the project pays nothing by it yet.
"""

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
    within,
)
from protocol.economy.observations import WHOLE, merge
from protocol.simulator.chance import Stream
from protocol.units import BASIS, BasisPoints, Credits

MAJORITY: Final = BasisPoints(BASIS // 2)
HONEST: Final = 60
"""Percent of nodes, and of the stake."""
STAKE_DEVIATION: Final = 30
"""Percent of the mean."""
STAKE: Final = 10**9
POINTS: Final = 2
"""Of a hundred: tolerance of the published numbers, which are read off contours."""
UNIFORMS: Final = 12
"""So many uniform numbers add up to a variance of one."""
BITS: Final = 32

Grid = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Case:
    """One setting of the study, and what it needs as published; all in percent."""

    deviation: int
    """Standard deviation of the observations, of their mean."""
    penalty: int
    observers: int
    """What observers get of all that is paid; subjects get the rest."""
    published: int


CASES: Final = (
    Case(0, 100, 50, 60),
    Case(20, 100, 50, 67),
    Case(40, 100, 50, 73),
    Case(40, 0, 50, 78),
    Case(40, 50, 50, 76),
    Case(40, 100, 0, 82),
    Case(40, 100, 25, 78),
)


@dataclass(frozen=True, slots=True)
class Network:
    """Observers and subjects, honest ones first, and how they vary."""

    stakes: tuple[Credits, ...]
    rows: tuple[tuple[int, ...], ...]
    """What each observer would say of each subject, before the sides divide the whole."""
    honest_observers: int
    honest_subjects: int


def measure(effort: Effort) -> Findings:
    """Finds the least utility that keeps the honest share, whatever the cabal says of itself."""
    nodes, observers = effort.of(512, 96), effort.of(64, 24)
    rows, seen = [], []
    for case in CASES:
        network = sample(nodes, observers, case.deviation)
        utility, tried, eroded = required(network, case, effort.of(5, 20))
        what = (
            f"deviation {case.deviation} %, penalty {case.penalty} %, observers paid "
            f"{case.observers} %: honest utility that keeps {HONEST} % of the stake (%)"
        )
        expected = within(case.published, POINTS)
        rows.append(Row(what, expected, counted(utility, tried, eroded)))
        seen.append((float(case.published), float(utility)))
    return Findings(tuple(rows), (_chart(seen),))


def sample(nodes: int, observers: int, deviation: int) -> Network:
    """Draws a network with the published distributions; a seed is one network."""
    draw = Stream(1, "yuma")
    honest_observers, honest_nodes = (count * HONEST // 100 for count in (observers, nodes))
    honest_subjects, subjects = honest_nodes - honest_observers, nodes - observers
    raw = [_normal(draw, STAKE_DEVIATION) for _ in range(observers)]
    mine = _divided(raw[:honest_observers], STAKE * HONEST // 100)
    others = _divided(raw[honest_observers:], STAKE * (100 - HONEST) // 100)
    rows = tuple(tuple(_normal(draw, deviation) for _ in range(subjects)) for _ in range(observers))
    stakes = tuple(Credits(one) for one in (*mine, *others))
    return Network(stakes, rows, honest_observers, honest_subjects)


def required(network: Network, case: Case, step: int) -> tuple[int, int, int]:
    """Finds the least utility in percent at which no self-praise erodes the honest stake.

    Returns:
        It, how many settings were tried, and in how many of them the cabal gained.
    """
    tried = eroded = 0
    worst = HONEST - 10
    for praise in range(0, 101, step):
        low, high = worst - 1, 100  # what `worst` withstands need not be searched again
        while high - low > 1:
            utility = (low + high) // 2
            keeps = honest_share(network, case, utility, praise) * 100 >= WHOLE * HONEST
            tried += 1
            eroded += not keeps
            low, high = (low, utility) if keeps else (utility, high)
        worst = max(worst, high)
    return worst, tried, eroded


def honest_share(network: Network, case: Case, utility: int, praise: int) -> int:
    """What the honest are paid of a `WHOLE`.

    Args:
        network: Who there is.
        case: How it is paid.
        utility: Percent that the honest are worth, and say so.
        praise: Percent that the cabal says that it is worth.
    """
    cut = network.honest_subjects
    observations = []
    for place, row in enumerate(network.rows):
        is_honest = place < network.honest_observers
        honest_part = (utility if is_honest else 100 - praise) * WHOLE // 100
        first = _divided(row[:cut], honest_part)
        observations.append((*first, *_divided(row[cut:], WHOLE - honest_part)))
    penalty = BasisPoints(case.penalty * BASIS // 100)
    merged = merge(network.stakes, observations, MAJORITY, penalty)
    paid = sum(merged.observers[: network.honest_observers]) * case.observers
    paid += sum(merged.subjects[:cut]) * (100 - case.observers)
    return paid // 100


def _normal(draw: Stream, deviation: int) -> int:
    """Draws around a million with a deviation in percent of it; below nothing counts as nothing."""
    whole = 1 << BITS
    around = sum(draw.below(whole) for _ in range(UNIFORMS)) - UNIFORMS // 2 * whole
    return max(0, 10**6 + around * deviation * 10**4 // whole)


def _divided(parts: Sequence[int], whole: int) -> list[int]:
    """Divides a whole in proportion to parts, rounded down."""
    total = max(1, sum(parts))
    return [part * whole // total for part in parts]


def _chart(seen: Sequence[tuple[float, float]]) -> Chart:
    known = sorted({published for published, _ in seen})
    return Chart(
        "Utility that keeps 60 % of the stake honest",
        "published (%)",
        "obtained (%)",
        (
            Series("as published", Mark.LINE, tuple((one, one) for one in known)),
            Series("obtained", Mark.DOTS, tuple(seen)),
        ),
    )


EXPERIMENT: Final = Experiment(
    name="yuma",
    title="A cabal among the observers",
    question="How useful must an honest majority be to keep its share of the stake?",
    method=(
        "`merge` in `protocol/economy/observations.py`, which cuts what less than half of the "
        "stake supports; a rule that no operation feeds yet. 64 observers and 448 subjects, 60 % "
        "of both and of the stake honest; one drawn network for each row. The cabal says of itself "
        "whatever serves it best, in steps of 5 %; utilities are searched in steps of 1 %. The mix "
        "of what subjects and observers are paid is the experiment's own."
    ),
    bite="settings in which the cabal's stake grew",
    source=(
        "Yuma consensus, github.com/opentensor/subtensor, docs/consensus.md, section Consensus "
        "guarantees, read off its contours; read in November 2026"
    ),
    caption="Line: as published. Dots: what this rule needs.",
    measure=measure,
    table="MARKET.md",
)
