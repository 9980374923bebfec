"""Makes a failing run smaller while the same promise stays broken.

Each step takes something away: faults, dishonest nodes, honest ones, work, time of a fault, noise
of the links. The first step that still fails is kept, and the search starts again from there; large
steps come first. It ends when no step is left that fails, or time is up.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from p2pnode.lab.simulation.checks import is_sound
from p2pnode.lab.simulation.targets import conditions_without, moved, without_node
from protocol.simulator.network import Conditions
from protocol.simulator.run import Outcome, Verdict
from protocol.simulator.scenario import Fault, Scenario
from protocol.units import MILLISECOND

WINDOW_MIN_NS: Final = 100 * MILLISECOND
"""Faults are not made shorter than this."""
FAILING: Final = (Verdict.SAFETY, Verdict.LIVENESS, Verdict.CRASH)

NOISE: Final = (
    "loss_ppm",
    "duplicate_ppm",
    "reorder_ppm",
    "slow",
    "lossy",
    "narrow",
    "uplink",
    "uplinks",
    "region_delays_ns",
    "skews_ns",
    "sync_ns",
    "sync_delay",
    "costs",
)
"""Fields of links, and of the whole, that do nothing where they have their default."""

Attempt = Callable[[Scenario], Outcome]


class NothingBroken(ValueError):  # noqa: N818  named for what happened
    """The run to shrink breaks no promise."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest failing run that was found.

    Attributes:
        invariant: What is broken before and after.
        runs: How many were tried.
        is_least: Whether no step that was left failed, and time was not up before.
    """

    outcome: Outcome
    invariant: str
    runs: int
    is_least: bool


def shrink(
    scenario: Scenario,
    attempt: Attempt,
    seconds: float,
    told: Callable[[int, Scenario], object] = lambda runs, scenario: None,
) -> Shrunk:
    """Shrink a scenario whose run fails.

    Args:
        scenario: What fails.
        attempt: Runs a scenario.
        seconds: After which no other run is begun.
        told: Told the number of runs and the smallest scenario so far, after each run.

    Raises:
        NothingBroken: It does not fail.
    """
    deadline = time.monotonic() + seconds
    best = attempt(scenario)
    if best.verdict not in FAILING or not best.violations:
        raise NothingBroken(f"the run is {best.verdict.name.lower()}: no promise is broken")
    verdict, invariant = best.verdict, best.violations[0].invariant
    runs, is_least = 1, False
    while not is_least and time.monotonic() < deadline:
        is_least = True
        for candidate in smaller(best.scenario):
            if time.monotonic() >= deadline:
                is_least = False
                break
            outcome = attempt(candidate)
            runs += 1
            broken = {violation.invariant for violation in outcome.violations}
            is_kept = outcome.verdict is verdict and invariant in broken
            if is_kept:
                best, is_least = outcome, False
            told(runs, best.scenario)
            if is_kept:
                break
    return Shrunk(best, invariant, runs, is_least)


def smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios that are a step smaller, the largest steps first."""
    yield from _fewer_faults(scenario)
    yield from _fewer_misdeeds(scenario)
    yield from _fewer_nodes(scenario)
    yield from _less_work(scenario)
    yield from _shorter_faults(scenario)
    yield from _less_noise(scenario)


def _fewer_faults(scenario: Scenario) -> Iterator[Scenario]:
    faults = scenario.faults
    half = len(faults) // 2
    if half > 1:
        yield replace(scenario, faults=faults[:half])
        yield replace(scenario, faults=faults[half:])
    for place in range(len(faults)):
        yield replace(scenario, faults=faults[:place] + faults[place + 1 :])


def _fewer_misdeeds(scenario: Scenario) -> Iterator[Scenario]:
    for place in range(len(scenario.behaviours)):
        left = scenario.behaviours[:place] + scenario.behaviours[place + 1 :]
        yield replace(scenario, behaviours=left)
    for place in range(len(scenario.twins)):
        yield _without_twin(scenario, place)


def _without_twin(scenario: Scenario, place: int) -> Scenario:
    """Takes a twin away, and with it whatever faults say of it."""
    number = scenario.originals + place
    return replace(
        scenario,
        twins=scenario.twins[:place] + scenario.twins[place + 1 :],
        faults=_faults_without(scenario, number),
        skews_ns=_skews_without(scenario, number),
        conditions=conditions_without(scenario.conditions, number),
    )


def _fewer_nodes(scenario: Scenario) -> Iterator[Scenario]:
    """Takes one node away, the last ones first; what has a twin goes after its twin.

    Dishonest stake is never brought to a third: from there on, all runs fail, whatever the cause.
    """
    for node in reversed(range(scenario.originals)):
        members = len(scenario.stakes)
        if node in scenario.twins or (node < members and members == 1):
            continue
        stakes = scenario.stakes[:node] + scenario.stakes[node + 1 :]
        left = replace(
            scenario,
            stakes=stakes,
            observers=scenario.observers - (node >= members),
            twins=tuple(moved(one, node) for one in scenario.twins),
            faults=_faults_without(scenario, node),
            behaviours=tuple(
                (moved(one, node), behaviour)
                for one, behaviour in scenario.behaviours
                if one != node
            ),
            skews_ns=_skews_without(scenario, node),
            conditions=conditions_without(scenario.conditions, node),
        )
        if left.honest and is_sound(left) == is_sound(scenario):
            yield left


def _faults_without(scenario: Scenario, node: int) -> tuple[Fault, ...]:
    left = (without_node(fault, node) for fault in scenario.faults)
    return tuple(fault for fault in left if fault is not None)


def _skews_without(scenario: Scenario, node: int) -> tuple[int, ...]:
    return scenario.skews_ns[:node] + scenario.skews_ns[node + 1 :]


def _less_work(scenario: Scenario) -> Iterator[Scenario]:
    workload = scenario.workload
    for name in ("jobs", "transfers"):
        count = getattr(workload, name)
        for fewer in dict.fromkeys((0, count // 2, count - 1)):
            if 0 <= fewer < count:
                yield replace(scenario, workload=replace(workload, **{name: fewer}))


def _shorter_faults(scenario: Scenario) -> Iterator[Scenario]:
    """Halves the time of each fault, from the end and from the start."""
    for place, fault in enumerate(scenario.faults):
        half = (fault.end_ns - fault.start_ns) // 2
        if half < WINDOW_MIN_NS:
            continue
        for shorter in (
            replace(fault, end_ns=fault.end_ns - half),
            replace(fault, start_ns=fault.start_ns + half),
        ):
            faults = (*scenario.faults[:place], shorter, *scenario.faults[place + 1 :])
            yield replace(scenario, faults=faults)


def _less_noise(scenario: Scenario) -> Iterator[Scenario]:
    """Takes away, one by one, what makes links, clocks and disks worse than they need be."""
    for field in fields(Conditions):
        if field.name in NOISE and getattr(scenario.conditions, field.name) != field.default:
            quiet: dict[str, Any] = {field.name: field.default}
            quiet |= {"regions": ()} if field.name == "region_delays_ns" else {}
            yield replace(scenario, conditions=replace(scenario.conditions, **quiet))
    for field in fields(Scenario):
        if field.name in NOISE and getattr(scenario, field.name) != field.default:
            calm: dict[str, Any] = {field.name: field.default}
            yield replace(scenario, **calm)
