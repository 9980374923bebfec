"""What it gains to split one stake over many keys: nothing in a draw, and more seats in one job.

The bids are weighed and drawn by the code of the node. Two other ways to weigh them stand beside it
as controls, drawn by the same lottery: there splitting does pay, so the measure would notice.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import comb, isqrt
from typing import Final

from p2pnode.lab.experiments.experiment import (
    Chart,
    Effort,
    Experiment,
    Findings,
    Mark,
    Obtained,
    Row,
    Series,
    counted,
    exactly,
    within,
)
from p2pnode.lab.experiments.rates import rate
from protocol.economy.reputation import NEWCOMER, score
from protocol.encoding import digest_of
from protocol.job.bidding import weight_of
from protocol.job.lottery import draw
from protocol.parameters import live
from protocol.units import CREDIT, Credits

TERMS: Final = live()
RANKS: Final = 20
"""Stakes of 1,000, 2,000 and so on; the greatest holder is the one that splits."""
KEYS: Final = 10
CHARTED: Final = (1, 2, 4, 5, 10, 20)
SEATS: Final = 3
CROWD: Final = 1_000
"""Keys with the minimum stake, of which the one holder has a share."""
PRICE: Final = Credits(1_000)
POINT: Final = 0.01
SEATS_TOLERANCE: Final = 0.02
"""Four thousand jobs scatter by as much."""

Weigh = Callable[[int], int]
"""Weighs a bid by its stake in credits."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """One way to weigh bids."""

    name: str
    of: Weigh


def by_rule(stake: int) -> int:
    """The node's own weight of a newcomer's bid."""
    free_stake = Credits(stake * CREDIT)
    return weight_of(free_stake, score(NEWCOMER), PRICE, PRICE, TERMS)


RULE: Final = Weighing("the protocol's weight", by_rule)
ROOT: Final = Weighing("control: square root of the stake", lambda stake: isqrt(stake * CREDIT))
EQUAL: Final = Weighing("control: reputation alone", lambda _: score(NEWCOMER))


def measure(effort: Effort) -> Findings:
    """Draws first executors among holders, and all executors of a job out of a crowd."""
    draws = effort.of(10_000, 2_000)
    whole = RANKS / sum(range(1, RANKS + 1))
    rows = [
        Row(
            f"one holder of {100 * whole:.1f} % with one key, {RULE.name}: draws that it wins",
            within(round(whole, 4), POINT),
            share_of(RULE, 1, draws),
        )
    ]
    for weighing in (RULE, ROOT, EQUAL):
        what = f"the same stake over {KEYS} keys, {weighing.name}: draws that it wins"
        known = within(round(known_share(weighing, KEYS), 4), POINT)
        rows.append(Row(what, known, share_of(weighing, KEYS, draws)))
    weightless = sum(not by_rule(0) for _ in range(CROWD))
    what = f"{CROWD} keys without stake: those with a weight"
    rows.append(Row(what, exactly(0), counted(CROWD - weightless, CROWD, weightless)))
    for percent in (20, 33):
        what = f"{percent} % of {CROWD} equal stakes: jobs of {SEATS} with a majority of seats"
        known = within(round(known_majority(percent), 4), SEATS_TOLERANCE)
        rows.append(Row(what, known, majority_of(percent, effort.of(4_000, 500))))
    return Findings(tuple(rows), (_chart(effort.of(1_000, 200)),))


def known_share(weighing: Weighing, keys: int) -> float:
    """The splitter's part of all weight, which is its chance in a draw."""
    split = keys * weighing.of(RANKS * 1_000 // keys)
    others = sum(weighing.of(rank * 1_000) for rank in range(1, RANKS))
    return split / (split + others)


def known_majority(percent: int) -> float:
    """The chance of two or three seats of three, drawn without putting back."""
    mine = CROWD * percent // 100
    ways = sum(comb(mine, won) * comb(CROWD - mine, SEATS - won) for won in (2, 3))
    return ways / comb(CROWD, SEATS)


def share_of(weighing: Weighing, keys: int, draws: int) -> Obtained:
    """How often one of the splitter's keys is drawn first."""
    weights = {_key(b"other", rank): weighing.of(rank * 1_000) for rank in range(1, RANKS)}
    mine = {_key(b"mine", number): weighing.of(RANKS * 1_000 // keys) for number in range(keys)}
    won = sum(drawn[0] in mine for drawn in _drawn(weights | mine, 1, draws, weighing.name, keys))
    return rate(won, draws, won)


def majority_of(percent: int, draws: int) -> Obtained:
    """How often most executors of a job are the splitter's."""
    weight = by_rule(TERMS.stake_minimum // CREDIT)
    keys = [_key(b"crowd", number) for number in range(CROWD)]
    mine = frozenset(keys[: CROWD * percent // 100])
    weights = dict.fromkeys(keys, weight)
    won = [
        len(mine.intersection(drawn))
        for drawn in _drawn(weights, SEATS, draws, "majority", percent)
    ]
    return rate(sum(2 * seats > SEATS for seats in won), draws, sum(won))


def _drawn(
    weights: Mapping[bytes, int], count: int, draws: int, purpose: str, number: int
) -> Iterator[tuple[bytes, ...]]:
    for at in range(draws):
        seed = digest_of(b"experiment", purpose.encode(), b"%d" % number, b"%d" % at)
        yield draw(seed, weights, count)


def _key(whose: bytes, number: int) -> bytes:
    return digest_of(b"experiment-key", whose, b"%d" % number)


def _chart(draws: int) -> Chart:
    series = []
    for weighing in (RULE, ROOT, EQUAL):
        known = tuple((float(keys), known_share(weighing, keys)) for keys in CHARTED)
        series.append(Series(weighing.name, Mark.LINE, known))
        seen = [(keys, share_of(weighing, keys, draws)) for keys in CHARTED]
        dots = tuple((float(keys), one.value) for keys, one in seen)
        errors = tuple((one.low, one.high) for _, one in seen)
        series.append(Series(f"{weighing.name}: drawn", Mark.DOTS, dots, errors))
    return Chart(
        "A stake of 9.5 % split over keys",
        "keys",
        "share of draws won",
        tuple(series),
        is_log=True,
    )


EXPERIMENT: Final = Experiment(
    name="sybil-split",
    title="One stake over many keys",
    question="What does it gain to split a stake over many keys?",
    method=(
        "`weight_of` in `protocol/job/bidding.py` weighs bids of newcomers at one price under the "
        "terms of `live`, and `draw` in `protocol/job/lottery.py` draws. Twenty holders have 1,000 "
        "to 20,000 credits; the greatest splits its stake. The controls are weighed otherwise and "
        "drawn alike. For seats, 1,000 keys have the minimum stake."
    ),
    bite="draws that the splitter won; for seats, those that it got; else keys refused a weight",
    source=(
        "a weight's part of all weights is its chance in a draw; seats follow the hypergeometric "
        "distribution"
    ),
    caption="Lines: shares of the weight. Dots: draws, with 99 % intervals.",
    measure=measure,
    table="MARKET.md",
)
