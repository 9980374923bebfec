"""Scenarios by name: one fault each, so that a failure says what it is about."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from protocol.simulator.chance import Stream
from protocol.simulator.costs import MEASURED, Costs
from protocol.simulator.draw import draw_scenario
from protocol.simulator.draw_large import draw_large_scenario
from protocol.simulator.fault_builders import (
    Span,
    bipartition,
    bridge,
    deaf,
    every,
    flapping,
    isolated,
    majorities_ring,
    mute,
    partial_cut,
    poisson,
    shattered,
    slow_node,
    swizzle,
)
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.queue import Capacity
from protocol.simulator.scenario import (
    START_NS,
    Arrivals,
    Behaviour,
    ClockJump,
    Crash,
    Cut,
    DuplicateBurst,
    Fault,
    LossBurst,
    Partition,
    Pause,
    ReorderBurst,
    Scenario,
    StaleDisk,
    StoreFailure,
    TornWrite,
    Workload,
)
from protocol.units import MILLISECOND, SECOND

BEGIN_NS: Final = 3 * SECOND
END_NS: Final = 11 * SECOND
SPAN: Final = (BEGIN_NS, END_NS)
CONDITIONS: Final = Conditions(Delay(Law.UNIFORM, 20 * MILLISECOND, 60 * MILLISECOND))


def calm(seed: int, members: int = 5) -> Scenario:
    """Draws nothing but the workload: no fault at all."""
    return Scenario(
        name="calm",
        seed=seed,
        stakes=(5_000,) * members,
        conditions=CONDITIONS,
        workload=Workload(8, 2, 6 * SECOND),
        safety_ns=12 * SECOND,
        sync_ns=5 * MILLISECOND,
    )


def split(seed: int, *groups: tuple[int, ...]) -> Scenario:
    """Cuts five members into groups for eight seconds."""
    name = "split-" + "-".join(str(len(group)) for group in groups)
    return _with(calm(seed), name, Partition(BEGIN_NS, END_NS, groups))


def crashes(seed: int) -> Scenario:
    """Crashes one member after the other, and one of them twice."""
    faults = tuple(
        Crash(BEGIN_NS + number * SECOND, BEGIN_NS + number * SECOND + 700 * MILLISECOND, node)
        for number, node in enumerate((0, 1, 2, 1, 3, 4))
    )
    return _with(calm(seed), "crashes", *faults)


def misbehaving(seed: int, behaviour: Behaviour) -> Scenario:
    """Makes one member of five dishonest, with work enough that it matters."""
    base = replace(calm(seed), workload=Workload(6, 6, 8 * SECOND))
    return replace(base, name=behaviour.value, behaviours=((1, behaviour),))


def copying(seed: int) -> Scenario:
    """Makes two members of seven lie and a third one copy, with work enough for all of them."""
    base = replace(calm(seed, members=7), workload=Workload(2, 8, 6 * SECOND))
    bad = ((1, Behaviour.LYING), (2, Behaviour.LYING), (3, Behaviour.COPYING))
    return replace(base, name="copying", behaviours=bad)


def burying(seed: int) -> Scenario:
    """Makes one member bury what two nodes outside the committee ask for."""
    base = replace(calm(seed), observers=2, workload=Workload(16, 1, 6 * SECOND))
    return replace(base, name="burying", behaviours=((1, Behaviour.BURYING),))


def working_badly(seed: int, behaviour: Behaviour) -> Scenario:
    """Makes one member and one node outside the committee bad workers, with work for both."""
    base = replace(calm(seed), observers=1, workload=Workload(4, 8, 8 * SECOND))
    return replace(base, name=behaviour.value, behaviours=((1, behaviour), (5, behaviour)))


def sybils(seed: int) -> Scenario:
    """Splits one stake outside the committee over five keys, beside one that is not split."""
    base = replace(calm(seed), observers=6, workload=Workload(2, 10, 8 * SECOND))
    bad = tuple((node, Behaviour.SYBIL) for node in range(6, 11))
    return replace(base, name="sybils", behaviours=bad)


def twins(seed: int) -> Scenario:
    """Runs one member of five twice with the same key."""
    return replace(calm(seed), name="twins", twins=(3,))


def split_brain(seed: int, members: int = 4) -> Scenario:
    """Lets just enough members show each half of the honest ones another history.

    This one has to break agreement: it is what the checkers are checked with. Each dishonest member
    runs twice, once on each side of a cut that lasts from the start, and neither knows of the
    other. With it, each half of the honest members has a quorum.
    """
    bad = next(bad for bad in range(members) if _halves_have_quorums(members, bad))
    honest, originals = range(members - bad), range(members - bad, members)
    half = len(honest) // 2
    sides = (*honest[:half], *originals), (*honest[half:], *range(members, members + bad))
    return replace(
        calm(seed, members),
        name="split-brain",
        twins=tuple(originals),
        faults=(Partition(START_NS, END_NS, sides),),
    )


def _halves_have_quorums(members: int, bad: int) -> bool:
    smaller_half = (members - bad) // 2
    return 3 * (smaller_half + bad) > 2 * members


def regions(seed: int) -> Scenario:
    """Puts seven members in three regions, as far apart as continents, with lognormal delays."""
    far = tuple(
        tuple(number * MILLISECOND for number in row)
        for row in ((0, 40, 110), (40, 0, 75), (110, 75, 0))
    )
    conditions = Conditions(
        Delay(Law.LOGNORMAL, 2 * MILLISECOND, 10 * MILLISECOND),
        regions=(0, 0, 0, 1, 1, 2, 2),
        region_delays_ns=far,
    )
    return replace(calm(seed, members=7), name="regions", conditions=conditions)


def narrow(seed: int) -> Scenario:
    """Gives every node an uplink of 400 kbit/s, and one of them a tenth of that."""
    conditions = replace(
        CONDITIONS, uplink=Capacity(400_000), uplinks=((2, Capacity(40_000, queue_bytes=8_000)),)
    )
    return replace(calm(seed), name="narrow", conditions=conditions)


def busy(seed: int) -> Scenario:
    """Lets computation take its measured time on machines twenty times slower, disks too."""
    slow = Costs(
        cores=2,
        step_ns=20 * MEASURED.step_ns,
        kilobyte_ns=20 * MEASURED.kilobyte_ns,
        check_ns=20 * MEASURED.check_ns,
        proof_ns=20 * MEASURED.proof_ns,
        sign_ns=20 * MEASURED.sign_ns,
    )
    syncs = Delay(Law.LONG_TAILED, 4 * MILLISECOND, 20 * MILLISECOND)
    workload = Workload(12, 3, 6 * SECOND, arrivals=Arrivals.POISSON)
    return replace(calm(seed), name="busy", costs=slow, sync_delay=syncs, workload=workload)


def changing_sides(seed: int) -> Scenario:
    """Draws new sides for five members every two seconds."""
    stream = Stream(seed, "sides")
    cuts = every(SPAN, 2 * SECOND, 1_500 * MILLISECOND, lambda span: bipartition(span, stream, 5))
    return _with(calm(seed), "changing-sides", *cuts)


def short_cuts(seed: int) -> Scenario:
    """Cuts drawn pairs of five members at drawn times."""
    stream = Stream(seed, "cuts")

    def cut(span: Span) -> Fault:
        return partial_cut(span, *stream.shuffled(range(5))[:2])

    found = poisson(SPAN, stream, SECOND, SECOND, cut)
    return _with(calm(seed), "short-cuts", *(found or [cut(SPAN)]))


def clock_jumps(seed: int) -> Scenario:
    """Sets the clocks of two members of five wrong, one each way, while a third one lags."""
    jumps = (
        ClockJump(BEGIN_NS, END_NS, 1, 30 * SECOND),
        ClockJump(BEGIN_NS + SECOND, END_NS, 2, -30 * SECOND),
    )
    return replace(_with(calm(seed), "clock-jumps", *jumps), skews_ns=(0, 0, 0, -START_NS))


def _with(base: Scenario, name: str, *faults: Fault) -> Scenario:
    return replace(base, name=name, faults=faults)


def _fault(name: str, *faults: Fault) -> Callable[[int], Scenario]:
    return lambda seed: _with(calm(seed), name, *faults)


def _misdeed(behaviour: Behaviour) -> Callable[[int], Scenario]:
    return lambda seed: misbehaving(seed, behaviour)


SCENARIOS: Final[Mapping[str, Callable[[int], Scenario]]] = MappingProxyType(
    {
        "swarm": draw_scenario,
        "large": draw_large_scenario,
        "calm": calm,
        # links that carry nothing
        "split-4-1": lambda seed: split(seed, (0, 1, 2, 3), (4,)),
        "split-3-2": lambda seed: split(seed, (0, 1, 2), (3, 4)),
        "split-2-2-1": lambda seed: split(seed, (0, 1), (2, 3), (4,)),
        "shattered": _fault("shattered", shattered(SPAN, 5)),
        "half-deaf": _fault("half-deaf", deaf(SPAN, 0, 5)),
        "half-mute": _fault("half-mute", mute(SPAN, 0, 5)),
        "bridge": _fault("bridge", Cut(*SPAN, ((0, 1), (1, 0), (2, 3), (3, 2)))),
        "bridge-of-one": _fault("bridge-of-one", bridge(SPAN, (0, 1), (2, 3))),
        "partial-cut": _fault("partial-cut", partial_cut(SPAN, 0, 1)),
        "majorities-ring": _fault("majorities-ring", majorities_ring(SPAN, 5)),
        "flapping": _fault(
            "flapping", *flapping(SPAN, 2 * SECOND, lambda span: isolated(span, 4, 5))
        ),
        "changing-sides": changing_sides,
        "short-cuts": short_cuts,
        # links that carry badly
        "lossy": _fault("lossy", LossBurst(*SPAN, 300_000)),
        "duplicates": _fault("duplicates", DuplicateBurst(*SPAN, 500_000)),
        "reordered": _fault("reordered", ReorderBurst(*SPAN, 500_000, 500 * MILLISECOND)),
        "slow-node": _fault(
            "slow-node", *slow_node(SPAN, 1, 5, 200 * MILLISECOND, Capacity(64_000))
        ),
        "swizzle": lambda seed: _with(
            calm(seed), "swizzle", *swizzle(SPAN, Stream(seed, "swizzle"), 5)
        ),
        "narrow": narrow,
        "regions": regions,
        # nodes
        "crashes": crashes,
        "pause": _fault("pause", Pause(*SPAN, 2)),
        "clock-jumps": clock_jumps,
        "old-disk": _fault("old-disk", StaleDisk(*SPAN, 2)),
        "full-disk": _fault("full-disk", StoreFailure(*SPAN, 3)),
        "torn-write": _fault("torn-write", TornWrite(*SPAN, 2), TornWrite(*SPAN, 3)),
        "busy": busy,
        # dishonest nodes
        "equivocating": _misdeed(Behaviour.EQUIVOCATING),
        "withholding": _misdeed(Behaviour.WITHHOLDING),
        "twins": twins,
        "lying": _misdeed(Behaviour.LYING),
        "erring": lambda seed: working_badly(seed, Behaviour.ERRING),
        "lazy": lambda seed: working_badly(seed, Behaviour.LAZY),
        "silent": _misdeed(Behaviour.SILENT),
        "hiding": lambda seed: working_badly(seed, Behaviour.HIDING),
        "copying": copying,
        "burying": burying,
        "spamming": _misdeed(Behaviour.SPAMMING),
        "sybils": sybils,
        "split-brain": split_brain,
    }
)
"""What `--scenario` knows."""
