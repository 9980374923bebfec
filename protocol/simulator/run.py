"""Plays a scenario from start to verdict: first safety under faults, then liveness after them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocol.core import Core
from protocol.errors import Misuse, Rejected
from protocol.signing import Scheme
from protocol.simulator.faults import Bite, FaultPlan, FaultRecord
from protocol.simulator.invariants import SAFETY, Log, Violation, liveness, newest_index
from protocol.simulator.network import Pair, Traffic
from protocol.simulator.node import Recorder
from protocol.simulator.promptness import Promptness
from protocol.simulator.scenario import Scenario
from protocol.simulator.scheme import FAKE
from protocol.simulator.trace import Trace
from protocol.simulator.world import CoreMaker, World
from protocol.units import SECOND

PATIENCE_NS: Final = SECOND // 2
"""How often a run looks whether everything is done."""

Progress = Callable[[int], None]
"""Told the virtual time, in nanoseconds."""

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
        bites: What every fault and every dishonest node came to.
        faults: The planned faults, and what each came to.
        trace: Digest over everything that happened.
        traffic: What the links carried together.
        links: What each directed link that was used carried.
        counts: How much happened.
    """

    scenario: Scenario
    verdict: Verdict
    violations: tuple[Violation, ...]
    bites: tuple[Bite, ...]
    faults: tuple[FaultRecord, ...]
    trace: str
    traffic: Traffic
    links: Mapping[Pair, Traffic]
    counts: Counts


def play(
    scenario: Scenario,
    scheme: Scheme = FAKE,
    *,
    make_core: CoreMaker = Core,
    sends_early: bool = False,
    recorders: Sequence[Recorder] = (),
    progress: Progress = lambda _: None,
) -> Outcome:
    """Runs a scenario until everything is done or its time is over.

    Args:
        scenario: What to run.
        scheme: Signature functions.
        make_core: Makes a node's core.
        sends_early: Breaks the drivers: they send before they sync.
        recorders: Told everything, besides those that judge.
        progress: Told the virtual time now and then.
    """
    trace, log, promptness = Trace(), Log(scenario), Promptness(scenario)
    watching: tuple[Recorder, ...] = (trace, log, promptness, *recorders)
    world = World(scenario, watching, scheme, make_core=make_core, sends_early=sends_early)
    log.know(world.accounts)
    plan = FaultPlan(world)
    try:
        verdict, violations = _judge(world, log, progress)
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
    network = world.network
    return Outcome(
        scenario=scenario,
        verdict=verdict,
        violations=tuple(violations),
        bites=bites,
        faults=plan.records(),
        trace=trace.digest,
        traffic=network.traffic,
        links=network.links,
        counts=counts,
    )


def _judge(world: World, log: Log, progress: Progress) -> tuple[Verdict, list[Violation]]:
    scenario = world.scenario
    while world.engine.now < scenario.safety_ns:
        world.engine.run(min(scenario.safety_ns, world.engine.now + PATIENCE_NS))
        progress(world.engine.now)
    quiet_index = newest_index(world)
    broken = _safety(world, log)
    until = scenario.safety_ns + scenario.liveness_ns
    waiting = liveness(world, quiet_index)
    while not broken and waiting and world.engine.now < until:
        world.engine.run(world.engine.now + PATIENCE_NS)
        progress(world.engine.now)
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
