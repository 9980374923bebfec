"""Plays a scenario from start to verdict: first safety under faults, then liveness after them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from protocol.core import Core
from protocol.errors import Misuse, Rejected
from protocol.signing import Scheme
from protocol.simulator.at_rest import conviction, durability
from protocol.simulator.bounds import bounds
from protocol.simulator.checks import LIVENESS, Check, Evidence, Result, checks_of
from protocol.simulator.faults import Bite, FaultPlan, FaultRecord
from protocol.simulator.invariants import SAFETY, liveness, newest_index
from protocol.simulator.labels import Labels
from protocol.simulator.log import Log, Violation
from protocol.simulator.network import Pair
from protocol.simulator.node import Recorder
from protocol.simulator.promptness import Promptness
from protocol.simulator.quality import quality_of, result_quality
from protocol.simulator.scenario import Scenario
from protocol.simulator.scheme import FAKE
from protocol.simulator.trace import Trace
from protocol.simulator.traffic import Traffic
from protocol.simulator.world import CoreMaker, World
from protocol.units import SECOND

PATIENCE_NS: Final = SECOND // 2
"""How often a run looks at all nodes, and whether everything is done."""

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
    """How much happened in a run.

    Attributes:
        accepted: Results that jobs were settled on.
        wrong: How many of them no honest run yields.
    """

    events: int
    steps: int
    commits: int
    jobs: int
    ended_ns: int
    accepted: int = 0
    wrong: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        scenario: What was run.
        verdict: Its outcome, as the checks have it.
        checks: Every promise, and what the run says of it.
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
    checks: tuple[Check, ...]
    violations: tuple[Violation, ...]
    bites: tuple[Bite, ...]
    faults: tuple[FaultRecord, ...]
    trace: str
    traffic: Traffic
    links: Mapping[Pair, Traffic]
    counts: Counts


@dataclass(slots=True)
class Watch:
    """Everything that watches a run in order to judge it, and what was found broken so far."""

    trace: Trace
    log: Log
    labels: Labels
    promptness: Promptness
    found: list[Violation] = field(default_factory=list)
    _known: dict[tuple[str, int], None] = field(default_factory=dict)

    @staticmethod
    def of(scenario: Scenario) -> "Watch":
        """Makes a watch for one run."""
        return Watch(Trace(), Log(scenario), Labels(scenario), Promptness(scenario))

    @property
    def recorders(self) -> tuple[Recorder, ...]:
        """All that watch the run; nobody watches for cuts where there are none."""
        labels = (self.labels,) if self.labels.isolations else ()
        return (self.trace, self.log, self.promptness, *labels)

    def note(self, violations: Sequence[Violation], now: int) -> None:
        """Keeps the first violation of each promise at each node."""
        for one in violations:
            if (one.invariant, one.node) not in self._known:
                self._known[one.invariant, one.node] = None
                self.found.append(replace(one, time_ns=one.time_ns or now))


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
    watch = Watch.of(scenario)
    watching = (*watch.recorders, *recorders)
    world = World(scenario, watching, scheme, make_core=make_core, sends_early=sends_early)
    return judge(world, watch, progress)


def judge(world: World, watch: Watch, progress: Progress = lambda _: None) -> Outcome:
    """Runs a world that has not begun, with the faults of its scenario, and judges it.

    Args:
        world: Nodes and links, told to every recorder of the watch.
        watch: What sees the run.
        progress: Told the virtual time now and then.
    """
    watch.log.know(world.accounts)
    plan = FaultPlan(world)
    is_whole = True
    try:
        _run(world, watch, progress)
    except DEFECTS as error:
        is_whole = False
        detail = f"{type(error).__name__}: {error} {_place(error)}"
        watch.found.insert(0, Violation("no_crash", -1, detail, world.engine.now))
    quality = quality_of(world)
    evidence = Evidence(
        scenario=world.scenario,
        log=watch.log,
        labels=watch.labels,
        promptness=watch.promptness,
        found=watch.found,
        quality=quality,
        bites=plan.bites(),
        is_whole=is_whole,
    )
    checks = checks_of(evidence)
    counts = Counts(
        world.engine.events,
        watch.trace.entries,
        max(watch.log.commits, default=0),
        max((len(node.core.state.jobs) for node in world.nodes if node.core), default=0),
        world.engine.now,
        len(quality.tolerated_ppm),
        quality.wrong,
    )
    network = world.network
    return Outcome(
        scenario=world.scenario,
        verdict=verdict_of(checks),
        checks=checks,
        violations=tuple(watch.found),
        bites=plan.bites(),
        faults=plan.records(),
        trace=watch.trace.digest,
        traffic=network.traffic,
        links=network.links,
        counts=counts,
    )


def verdict_of(checks: Sequence[Check]) -> Verdict:
    """Sums up: the gravest broken promise counts, and a fault that never bit proves nothing.

    Any other promise that had no occasion to be broken leaves the verdict alone.
    """
    results = {check.name: check.result for check in checks}
    broken = [name for name, result in results.items() if result is Result.BROKEN]
    if "no_crash" in broken:
        return Verdict.CRASH
    if any(name not in LIVENESS for name in broken):
        return Verdict.SAFETY
    if broken:
        return Verdict.LIVENESS
    return Verdict.PASS if results["bites"] is Result.HOLDS else Verdict.UNKNOWN


def _run(world: World, watch: Watch, progress: Progress) -> None:
    """Runs the faults, and then until everything is done; looks at all nodes now and then."""
    scenario = world.scenario
    while world.engine.now < scenario.safety_ns:
        world.engine.run(min(scenario.safety_ns, world.engine.now + PATIENCE_NS))
        _look(world, watch)
        progress(world.engine.now)
    quiet_index = newest_index(world)
    until = scenario.safety_ns + scenario.liveness_ns
    waiting = liveness(world, quiet_index)
    while not watch.found and waiting and world.engine.now < until:
        world.engine.run(world.engine.now + PATIENCE_NS)
        _look(world, watch)
        progress(world.engine.now)
        waiting = liveness(world, quiet_index)
    watch.note(result_quality(world), world.engine.now)
    if not watch.found:
        watch.note(waiting, world.engine.now)
    if not watch.found:
        at_rest = [*durability(world, watch.log), *conviction(world, watch.log)]
        watch.note([*at_rest, *watch.promptness.violations()], world.engine.now)


def _look(world: World, watch: Watch) -> None:
    """Judges the state of all nodes as it is now."""
    for check in SAFETY:
        watch.note(check(world, watch.log), world.engine.now)
    watch.note(bounds(world, watch.log), world.engine.now)
    watch.note(watch.labels.found, world.engine.now)


def _place(error: BaseException) -> str:
    """Names the innermost place of an error."""
    trail = error.__traceback__
    while trail is not None and trail.tb_next is not None:
        trail = trail.tb_next
    if trail is None:
        return ""
    code = trail.tb_frame.f_code
    return f"({code.co_name}, line {trail.tb_lineno})"
