"""A positive control: with too many Byzantine members, agreement must be seen to break.

Each Byzantine member runs twice with one key; either copy talks to one half of the honest members
alone, and neither minds the other's blocks. From a third of the weight on, each half has a quorum.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
)
from p2pnode.lab.experiments.rates import rate
from protocol.core import Core
from protocol.ledger.block import VerifiedBlock
from protocol.messages import Genesis
from protocol.signing import Identity, Scheme
from protocol.simulator.catalogue import calm
from protocol.simulator.run import Outcome, Verdict, play
from protocol.simulator.scenario import START_NS, Partition, Scenario, Workload, identities
from protocol.snapshot import Snapshot
from protocol.units import SECOND

HEAL_NS: Final = 5 * SECOND
BREAKING: Final = {4: 2, 7: 3, 10: 4}
"""By size of the committee: the fewest Byzantine members with which either half has a quorum."""
SEEDS_MAX: Final = 200
"""Within so many seeds agreement must break."""


def measure(effort: Effort) -> Findings:
    """Attacks committees with as many Byzantine members as are too many, and with one fewer."""
    sizes, seeds = tuple(BREAKING)[: effort.of(3, 1)], range(1, effort.of(50, 3) + 1)
    rows: list[Row] = []
    shares: dict[str, list[tuple[float, Obtained]]] = {"enough": [], "too few": []}
    for members in sizes:
        for fewer, name in ((0, "enough"), (1, "too few")):
            byzantine = BREAKING[members] - fewer
            outcomes = [attack(seed, members, byzantine) for seed in seeds]
            share = _share(outcomes)
            shares[name].append((byzantine / members, share))
            rows += _rows(members, byzantine, outcomes, share, is_enough=not fewer)
    return Findings(tuple(rows), (_chart(shares),))


def attack(seed: int, members: int, byzantine: int) -> Outcome:
    """Plays one run."""
    scenario = split_brain(seed, members, byzantine)
    shared = [identities(scenario)[node].seed for node in scenario.twins]

    def make(
        genesis: Genesis, identity: Identity, scheme: Scheme, *, snapshot: Snapshot | None = None
    ) -> Core:
        core = Core(genesis, identity, scheme, snapshot=snapshot)
        if identity.seed in shared and core.validator is not None:
            core.validator.notice = _ignore  # type: ignore[method-assign]  # it never sits out
        return core

    return play(scenario, make_core=make)


def split_brain(seed: int, members: int, byzantine: int) -> Scenario:
    """The last members are Byzantine; the others are cut in two from the start."""
    honest = members - byzantine
    half = honest // 2
    twins = tuple(range(honest, members))
    copies = tuple(range(members, members + byzantine))
    sides = ((*range(half), *twins), (*range(half, honest), *copies))
    return replace(
        calm(seed, members=members),
        name="split-brain",
        twins=twins,
        faults=(Partition(START_NS, HEAL_NS, sides),),
        workload=Workload(4, 0, 2 * SECOND),
        safety_ns=HEAL_NS,
    )


def breaks_agreement(outcome: Outcome) -> bool:
    """Whether two honest nodes were seen to disagree on what is final."""
    names = {violation.invariant for violation in outcome.violations}
    return outcome.verdict is Verdict.SAFETY and "agreement" in names


def _ignore(block: VerifiedBlock) -> bool:
    """What a Byzantine member does about blocks of its own key that it has not made."""
    return not block


def _share(outcomes: Sequence[Outcome]) -> Obtained:
    bites = sum(outcome.bites[0].count for outcome in outcomes)
    return rate(sum(map(breaks_agreement, outcomes)), len(outcomes), bites)


def _rows(
    members: int, byzantine: int, outcomes: Sequence[Outcome], share: Obtained, *, is_enough: bool
) -> Iterator[Row]:
    name = f"{byzantine} of {members} Byzantine ({byzantine / members:.0%})"
    if not is_enough:
        broken = counted(share.value * len(outcomes), len(outcomes), share.bites)
        yield Row(f"{name}: runs in which agreement broke", exactly(0), broken)
        return
    first = next((n for n, one in enumerate(outcomes, 1) if breaks_agreement(one)), None)
    needed = counted(first or float("inf"), len(outcomes), share.bites)
    expected = Expected(f"≤ {SEEDS_MAX}", 1, SEEDS_MAX)
    yield Row(f"{name}: seeds until agreement breaks", expected, needed)


def _chart(shares: dict[str, list[tuple[float, Obtained]]]) -> Chart:
    series = [Series("a third", Mark.LINE, ((1 / 3, 0.0), (1 / 3, 1.0)))]
    for name, found in shares.items():
        points = tuple((x, one.value) for x, one in found)
        errors = tuple((one.low, one.high) for _, one in found)
        label = f"{name} for a quorum on either side"
        series.append(Series(label, Mark.DOTS, points, errors))
    return Chart("Runs in which agreement broke", "Byzantine share", "share of runs", tuple(series))


EXPERIMENT: Final = Experiment(
    name="split-brain",
    title="Directed split brain, a positive control",
    question="Is broken agreement seen when more than a third of the weight is Byzantine?",
    method=(
        "`protocol.simulator.run` plays real cores; the Byzantine ones run twice with one key, "
        "each copy cut off from one half of the honest ones, until the links are healed."
    ),
    bite="messages that met a cut link",
    source=(
        "L. Lamport et al., *The Byzantine Generals Problem*, TOPLAS 4(3), 1982: "
        "no agreement from a third of faulty members on"
    ),
    caption="Each dot is one size of committee (4, 7 or 10), with a 99 % interval.",
    measure=measure,
)
