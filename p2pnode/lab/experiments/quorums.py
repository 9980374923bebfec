"""How probable a quorum is, when nodes fail and when the network falls in two at random.

Small networks are played: every set of failed nodes, and every way to fall in two, is one run of
real cores, and it counts by whether finality went on. Larger ones ask the committee's rule alone.
"""

from collections.abc import Callable, Iterator
from math import comb, fsum
from typing import Final

from p2pnode.lab.experiments.experiment import (
    Chart,
    Effort,
    Expected,
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
from p2pnode.lab.experiments.small_networks import STAKE, Seen, Side, crash, divide
from protocol.ledger.committee import MEMBERS_MAX, Committee, quorum_of
from protocol.simulator.chance import MILLION, Stream
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import Scenario, Workload, genesis_of
from protocol.simulator.scheme import FAKE
from protocol.units import MILLISECOND, SECOND, Weight

TOLERANCE: Final = 0.01
RARE: Final = 0.01
"""Below this a probability is compared to within half of itself: a point would hide everything."""
PLAYED: Final = (4, 7)
FAILING_PPM: Final = (100_000, 300_000)
SHOWN: Final = (4, 7, 10, 13, 16, 22, 31, 46, 64, 100)
CHARTED_PPM: Final = (50_000, 100_000, 200_000, 300_000, 400_000, 500_000)

Judge = Callable[[int], bool]
"""Whether a set of members, given as a bit mask, makes a quorum."""


def measure_availability(effort: Effort) -> Findings:
    """Stops every set of nodes in small networks; draws sets for larger ones."""
    draws = effort.of(50_000, 2_000)
    rows = []
    for members in PLAYED[: effort.of(len(PLAYED), 1)]:
        runs = crash_every_set(members)
        rows += [_played_availability(members, runs, ppm) for ppm in FAILING_PPM]
        rows.append(_obedience(f"n={members}: crash", runs))
    cases = [(members, ppm) for members in (31, 100) for ppm in FAILING_PPM]
    for members, ppm in cases:
        obtained = drawn_availability(members, ppm, draws)
        known = available(members, ppm / MILLION)
        what = f"n={members}, p={ppm / MILLION:g}: drawn sets with a quorum; {_rule(members)}"
        rows.append(Row(what, _known(known), obtained))
    rows.append(_rule_row())
    return Findings(tuple(rows), (_availability_chart(draws // 5),))


def measure_bipartition(effort: Effort) -> Findings:
    """Cuts small networks in two in every way; draws ways for larger ones."""
    draws = effort.of(200_000, 2_000)
    rows = []
    for members in PLAYED[: effort.of(len(PLAYED), 1)]:
        runs = cut_in_every_way(members)
        going = sum(any(side.commits for side in seen.sides) for seen in runs)
        obtained = counted(going / len(runs), len(runs), sum(seen.bites for seen in runs))
        what = f"n={members}: ways to fall in two after which some side finalises, of all"
        rows.append(Row(what, _known(keeps_quorum(members)), obtained))
        rows.append(_obedience(f"n={members}: bipartition", runs))
    for members in (31, 100):
        known = _known(keeps_quorum(members))
        what = f"n={members}: drawn ways with a quorum on some side; {_rule(members)}"
        rows.append(Row(what, known, drawn_bipartition(members, draws)))
    return Findings(tuple(rows), (_bipartition_chart(draws // 10),))


def crash_every_set(members: int) -> tuple[Seen, ...]:
    """One network for each set of nodes that are down; the place in the tuple is its bit mask."""
    stakes = (STAKE,) * members
    return tuple(
        crash(stakes, _nodes_of(mask, members), seed=mask + 1) for mask in range(1 << members)
    )


def cut_in_every_way(members: int) -> tuple[Seen, ...]:
    """One network for each way to fall in two; node 0 stands on the first side."""
    ways = range(1 << (members - 1))
    return tuple(
        divide((STAKE,) * members, _sides_of(2 * way + 1, members), seed=way + 1) for way in ways
    )


def available(members: int, failing: float) -> float:
    """The probability that more than two thirds of the nodes are up."""
    least = 2 * members // 3 + 1
    return fsum(
        comb(members, up) * _of_each(1 - failing, up) * _of_each(failing, members - up)
        for up in range(least, members + 1)
    )


def keeps_quorum(members: int) -> float:
    """The probability that a fair draw of sides leaves more than two thirds on one of them."""
    least = 2 * members // 3 + 1
    return 2 * sum(comb(members, count) for count in range(least, members + 1)) / (1 << members)


def _of_each(probability: float, count: int) -> float:
    """The probability that something happens to each of so many nodes."""
    return float(probability**count)


def drawn_availability(members: int, ppm: int, draws: int) -> Obtained:
    """Draws which nodes are up, and asks the committee's rule."""
    judge, stream = judge_of(members), Stream(members, "failing", ppm)
    hits = failures = 0
    for _ in range(draws):
        down = [stream.hits(ppm) for _ in range(members)]
        failures += sum(down)
        hits += judge(sum(1 << node for node, is_down in enumerate(down) if not is_down))
    return rate(hits, draws, failures)


def drawn_bipartition(members: int, draws: int) -> Obtained:
    """Draws a side for each node, and asks the committee's rule for both."""
    judge, stream = judge_of(members), Stream(members, "sides")
    everybody = (1 << members) - 1
    hits = divided = 0
    for _ in range(draws):
        side = stream.below(1 << members)
        divided += side not in (0, everybody)
        hits += judge(side) or judge(everybody ^ side)
    return rate(hits, draws, divided)


def judge_of(members: int) -> Judge:
    """The rule of a committee of equal members; of its size alone where none is that large."""
    if members > MEMBERS_MAX:
        quorum = quorum_of(Weight(members), churn_profile=False)
        return lambda mask: mask.bit_count() >= quorum
    committee = _committee(members)
    return lambda mask: committee.weight_of(mask) >= committee.quorum


def _committee(members: int) -> Committee:
    """A committee founded as every simulated network's is."""
    scenario = Scenario(
        name="quorums",
        seed=members,
        stakes=(STAKE,) * members,
        conditions=Conditions(Delay(Law.CONSTANT, MILLISECOND, MILLISECOND)),
        workload=Workload(0, 0, SECOND),
        safety_ns=SECOND,
    )
    return Committee.of_genesis(genesis_of(scenario, FAKE))


def _nodes_of(mask: int, members: int) -> Side:
    return tuple(node for node in range(members) if mask >> node & 1)


def _sides_of(mask: int, members: int) -> tuple[Side, Side]:
    return _nodes_of(mask, members), _nodes_of(~mask, members)


def _rule(members: int) -> str:
    return "`quorum_of` alone" if members > MEMBERS_MAX else "`Committee.weight_of`"


def _played_availability(members: int, runs: tuple[Seen, ...], ppm: int) -> Row:
    failing = ppm / MILLION
    value = sum(
        _of_each(failing, mask.bit_count()) * _of_each(1 - failing, members - mask.bit_count())
        for mask, seen in enumerate(runs)
        if seen.sides[0].commits
    )
    what = f"n={members}, p={failing:g}: sets of crashed nodes after which finality went on"
    expected = _known(available(members, failing))
    return Row(what, expected, counted(value, len(runs), sum(seen.bites for seen in runs)))


def _obedience(fault: str, runs: tuple[Seen, ...]) -> Row:
    """No side may go on without a quorum, none stop with one, and all must go on afterwards."""
    wrong = sum(
        not (all(side.obeys for side in seen.sides) and seen.has_resumed and not seen.missed)
        for seen in runs
    )
    what = f"{fault} runs in which a side disobeyed the quorum, or not all went on afterwards"
    return Row(what, exactly(0), counted(wrong, len(runs), sum(seen.bites for seen in runs)))


def _known(probability: float) -> Expected:
    rounded = round(probability, 4)
    return within(rounded, TOLERANCE if rounded >= RARE else rounded / 2)


def _rule_row() -> Row:
    """With equal stakes, the rule on weights must be the rule on heads."""
    wrong = 0
    for members in range(1, MEMBERS_MAX + 1):
        judge, least = judge_of(members), 2 * members // 3 + 1
        wrong += judge((1 << least - 1) - 1) or not judge((1 << least) - 1)
    what = f"n=1…{MEMBERS_MAX}: sizes whose smallest quorum is not ⌊2n/3⌋+1 equal members"
    return Row(what, exactly(0), counted(wrong, MEMBERS_MAX, MEMBERS_MAX))


def _availability_chart(draws: int) -> Chart:
    series: list[Series] = []
    for members in (*PLAYED, 31, 100):
        known = tuple((p / 100, available(members, p / 100)) for p in range(61))
        series.append(Series(f"n={members}, binomial", Mark.LINE, known))
        found = [drawn_availability(members, ppm, draws) for ppm in CHARTED_PPM]
        series.append(_dots(f"n={members}, drawn", [p / MILLION for p in CHARTED_PPM], found))
    return Chart("A quorum is up", "probability that a node is down", "probability", tuple(series))


def _bipartition_chart(draws: int) -> Chart:
    sizes = range(4, SHOWN[-1] + 1, 3)
    known = tuple((float(n), keeps_quorum(n)) for n in sizes)
    found = [drawn_bipartition(n, draws) for n in SHOWN]
    series = (
        Series("binomial, n = 3f + 1", Mark.LINE, known),
        _dots("drawn", SHOWN, found),
    )
    return Chart("Some side keeps a quorum", "nodes", "probability", series, is_log=True)


def _dots(
    label: str, places: Iterator[float] | tuple[int, ...] | list[float], found: list[Obtained]
) -> Series:
    points = tuple((float(x), one.value) for x, one in zip(places, found, strict=True))
    return Series(label, Mark.DOTS, points, tuple((one.low, one.high) for one in found))


PLAYED_METHOD: Final = (
    "For n = 4 and 7 each case is one run of `protocol.simulator.world`: finality goes on if new "
    "commits appear from 2 s after the fault's begin to its end 9 s later. Larger n ask "
    "`Committee.weight_of` and `Committee.quorum` for drawn sets; a committee has at most 64 "
    "members, so n = 100 asks `quorum_of` alone."
)

AVAILABILITY: Final = Experiment(
    name="availability",
    title="Availability of a quorum",
    question="How probable is it that finality goes on when each node is down with probability p?",
    method=PLAYED_METHOD,
    bite="crashes that hit a running node; among drawn sets, members that were down",
    source="binomial distribution; more than two thirds of n equal members must be up",
    caption="Lines: binomial distribution. Dots: drawn sets judged by the project's quorum rule.",
    measure=measure_availability,
)

BIPARTITION: Final = Experiment(
    name="bipartition",
    title="Random bipartition",
    question="A fair coin puts each node on one of two sides: does some side keep a quorum?",
    method=PLAYED_METHOD,
    bite="messages that met a cut link; among drawn ways, those that leave nobody alone count",
    source="binomial distribution; more than two thirds of n equal members on one side",
    caption="Line: binomial distribution. Dots: drawn ways, judged by the project's quorum rule.",
    measure=measure_bipartition,
)
