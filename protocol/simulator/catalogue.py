"""Scenarios by name: one fault each, so that a failure says what it is about."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from protocol.simulator.draw import draw_scenario
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import (
    Behaviour,
    Crash,
    Cut,
    Fault,
    LossBurst,
    Partition,
    Pause,
    Scenario,
    StaleDisk,
    StoreFailure,
    Workload,
)
from protocol.units import MILLISECOND, SECOND

BEGIN_NS: Final = 3 * SECOND
END_NS: Final = 11 * SECOND
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


def _with(base: Scenario, name: str, *faults: Fault) -> Scenario:
    return replace(base, name=name, faults=faults)


SCENARIOS: Final[Mapping[str, Callable[[int], Scenario]]] = MappingProxyType(
    {
        "swarm": draw_scenario,
        "calm": calm,
        "split-4-1": lambda seed: split(seed, (0, 1, 2, 3), (4,)),
        "split-3-2": lambda seed: split(seed, (0, 1, 2), (3, 4)),
        "split-2-2-1": lambda seed: split(seed, (0, 1), (2, 3), (4,)),
        "half-deaf": lambda seed: _with(
            calm(seed), "half-deaf", Cut(BEGIN_NS, END_NS, tuple((n, 0) for n in range(1, 5)))
        ),
        "bridge": lambda seed: _with(
            calm(seed), "bridge", Cut(BEGIN_NS, END_NS, ((0, 1), (1, 0), (2, 3), (3, 2)))
        ),
        "lossy": lambda seed: _with(calm(seed), "lossy", LossBurst(BEGIN_NS, END_NS, 300_000)),
        "crashes": crashes,
        "pause": lambda seed: _with(calm(seed), "pause", Pause(BEGIN_NS, END_NS, 2)),
        "old-disk": lambda seed: _with(calm(seed), "old-disk", StaleDisk(BEGIN_NS, END_NS, 2)),
        "full-disk": lambda seed: _with(calm(seed), "full-disk", StoreFailure(BEGIN_NS, END_NS, 3)),
        "equivocating": lambda seed: misbehaving(seed, Behaviour.EQUIVOCATING),
        "withholding": lambda seed: misbehaving(seed, Behaviour.WITHHOLDING),
        "lying": lambda seed: misbehaving(seed, Behaviour.LYING),
        "silent": lambda seed: misbehaving(seed, Behaviour.SILENT),
        "copying": copying,
        "burying": burying,
    }
)
"""What `--scenario` knows."""
