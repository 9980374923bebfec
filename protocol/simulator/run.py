"""Plays a scenario from start to verdict: first safety under faults, then liveness after them."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocol.core import Core
from protocol.errors import Misuse, Rejected
from protocol.signing import Scheme
from protocol.simulator.faults import Bite, FaultPlan
from protocol.simulator.invariants import SAFETY, Log, Violation, liveness, newest_index
from protocol.simulator.network import Traffic
from protocol.simulator.promptness import Promptness
from protocol.simulator.scenario import Scenario
from protocol.simulator.scheme import FAKE
from protocol.simulator.trace import Trace
from protocol.simulator.world import CoreMaker, World
from protocol.units import SECOND

PATIENCE_NS: Final = SECOND // 2
"""How often a run looks whether everything is done."""

DEFECTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    Misuse,
    NameError,
    Rejected,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a core raises when it is wrong itself."""


class Verdict(IntEnum):
    """The outcome of a run; its value is the exit code."""

    PASS = 0
    SAFETY = 10
    LIVENESS = 11
    UNKNOWN = 12
    CRASH = 13


@dataclass(frozen=True, slots=True)
class Counts:
    """How much happened in a run."""

    events: int
    steps: int
    commits: int
    jobs: int
    ended_ns: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        scenario: What was run.
        verdict: Its outcome; unknown when a fault that it was about never bit.
        violations: What was broken.
        bites: What every fault came to.
        trace: Digest over everything that happened.
        traffic: What the links carried.
        counts: How much happened.
    """

    scenario: Scenario
    verdict: Verdict
    violations: tuple[Violation, ...]
    bites: tuple[Bite, ...]
    trace: str
    traffic: Traffic
    counts: Counts


def play(
    scenario: Scenario,
    scheme: Scheme = FAKE,
    *,
    make_core: CoreMaker = Core,
    sends_early: bool = False,
) -> Outcome:
    """Runs a scenario until everything is done or its time is over.

    Args:
        scenario: What to run.
        scheme: Signature functions.
        make_core: Makes a node's core.
        sends_early: Breaks the drivers: they send before they sync.
    """
    trace = Trace()
    world, log, promptness = _found(scenario, trace, scheme, make_core, sends_early)
    plan = FaultPlan(world)
    try:
        verdict, violations = _judge(world, log)
        if verdict is Verdict.PASS and (late := promptness.violations()):
            verdict, violations = Verdict.LIVENESS, late
    except DEFECTS as error:
        verdict = Verdict.CRASH
        violations = [Violation("crash", -1, f"{type(error).__name__}: {error} {_place(error)}")]
    bites = plan.bites()
    if verdict is Verdict.PASS and not all(bite.count for bite in bites):
        verdict = Verdict.UNKNOWN
    counts = Counts(
        world.engine.events,
        trace.entries,
        max(log.commits, default=0),
        max((len(node.core.state.jobs) for node in world.nodes if node.core), default=0),
        world.engine.now,
    )
    return Outcome(
        scenario, verdict, tuple(violations), bites, trace.digest, world.network.traffic, counts
    )


def _found(
    scenario: Scenario, trace: Trace, scheme: Scheme, make_core: CoreMaker, sends_early: bool
) -> tuple[World, Log, Promptness]:
    log, promptness = Log(scenario), Promptness(scenario)
    recorders = (trace, log, promptness)
    world = World(scenario, recorders, scheme, make_core=make_core, sends_early=sends_early)
    log.know(world.accounts)
    return world, log, promptness


def _judge(world: World, log: Log) -> tuple[Verdict, list[Violation]]:
    scenario = world.scenario
    world.engine.run(scenario.safety_ns)
    quiet_index = newest_index(world)
    broken = _safety(world, log)
    until = scenario.safety_ns + scenario.liveness_ns
    waiting = liveness(world, quiet_index)
    while not broken and waiting and world.engine.now < until:
        world.engine.run(world.engine.now + PATIENCE_NS)
        broken = list(log.found)
        waiting = liveness(world, quiet_index)
    broken = _safety(world, log)
    if broken:
        return Verdict.SAFETY, broken
    return (Verdict.LIVENESS if waiting else Verdict.PASS), waiting


def _safety(world: World, log: Log) -> list[Violation]:
    return [violation for check in SAFETY for violation in check(world, log)]


def _place(error: BaseException) -> str:
    """Names the innermost place of an error."""
    trail = error.__traceback__
    while trail is not None and trail.tb_next is not None:
        trail = trail.tb_next
    if trail is None:
        return ""
    code = trail.tb_frame.f_code
    return f"({code.co_name}, line {trail.tb_lineno})"
