"""Plays a scenario on real node processes, from founding to verdict, and leaves nothing running."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import trio

from p2pnode import __version__
from p2pnode.genesis import read_genesis
from p2pnode.lab import running
from p2pnode.lab.commands import occupy, undisturbed
from p2pnode.lab.processes import Life, identify
from p2pnode.lab.readiness import last_words, wait_until_ready
from p2pnode.lab.real.asking import Asked, ask_all
from p2pnode.lab.real.checks import (
    Recovery,
    as_played,
    conflicts,
    missed_bites,
    recovery_of,
    stray_facts,
)
from p2pnode.lab.real.choice import Choice, hosts_for, make_wires
from p2pnode.lab.real.collecting import collect, sample
from p2pnode.lab.real.evidence import Gathered, gather, store_trouble
from p2pnode.lab.real.founding import found_shape
from p2pnode.lab.real.promises import Left, judge
from p2pnode.lab.real.recording import (
    FAULTS,
    NODES,
    REQUESTS,
    as_json,
    claim_folder,
    write_lines,
    write_manifest,
)
from p2pnode.lab.real.shape import Shape, rules_of, skewed_nodes
from p2pnode.lab.real.striking import change_faults
from p2pnode.lab.real.switch import lateness_of
from p2pnode.lab.real.tables import Seen, write_tables
from p2pnode.lab.real.timeline import FaultNote, Timeline
from p2pnode.lab.real.traffic import closed_times, samples_of, traffic_of
from p2pnode.lab.real.watch import Watch, start_clock
from p2pnode.lab.real.wires import Wires
from p2pnode.lab.results import checks_to_json
from p2pnode.lab.source import source_commit
from p2pnode.lab.testnet import LabError, LabNetwork, load
from p2pnode.storage import layout
from protocol.simulator.checks import Check, Result
from protocol.simulator.faults import Bite
from protocol.simulator.log import Violation
from protocol.simulator.run import Verdict, verdict_of
from protocol.simulator.scenario import ClockJump
from protocol.units import MILLISECOND, SECOND

READY_SECONDS = 30.0
READY_SECONDS_PER_NODE = 6.0
PATIENCE_SECONDS = 0.5
"""How often a run looks whether everything is done."""

Tell = Callable[[dict[str, object]], None]
"""Told what a person would want to know meanwhile."""


@dataclass(frozen=True, slots=True)
class Played:
    """What a run came to.

    Attributes:
        verdict: As of a simulated run; unknown when a fault never bit.
        reasons: Why it is not a pass.
        checks: The promises of simulated runs that can be judged from outside, too.
        faults: What became of each fault.
        recoveries: How the network came back from each fault.
        stores: Whether the ledgers that the nodes left behind agree.
        watch: Everything that the nodes reported.
        ended_ns: When it was over, in scenario time.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    faults: tuple[FaultNote, ...]
    recoveries: tuple[Recovery | None, ...]
    stores: Mapping[str, object]
    asked: tuple[Asked, ...]
    watch: Watch
    ended_ns: int


@dataclass(slots=True)
class _Course:
    """What grows while a run goes on."""

    asked: list[Asked] = field(default_factory=list)
    is_done: bool = False
    is_interrupted: bool = False
    ended_ns: int = 0


@dataclass(frozen=True, slots=True)
class _Ran:
    """A run whose nodes have ended, before anybody judges it."""

    timeline: Timeline
    course: _Course
    watch: Watch
    gone: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class _Finished:
    """A run that is over, as its manifest describes it."""

    shape: Shape
    choice: Choice
    testnet: LabNetwork
    seconds: float


def play_shape(shape: Shape, choice: Choice, folder: Path, out: Path, tell: Tell) -> Played:
    """Play a scenario.

    Args:
        shape: What to play.
        choice: What lies between the nodes.
        folder: Of the network; it belongs to this run and to commands that look at it.
        out: Where the results go; empty or not there.
        tell: Told how far the run is.

    Raises:
        LabError: The network could not be made or did not become ready.
    """
    claim_folder(out)
    owner = identify(os.getpid())
    assert owner is not None, "this process exists"
    begun = time.monotonic()
    with hosts_for(choice, owner, shape.scenario.nodes) as hosts:
        testnet = occupy(folder, lambda: found_shape(folder, shape, hosts), detach=False)
        with ExitStack() as ending:
            wires = make_wires(choice, hosts, testnet, folder)
            ending.callback(wires.close)
            # Nodes go before what lies between them.
            ending.callback(_end, folder)
            ran = _play(shape, testnet, wires, out, tell)
        evidence = gather(testnet, shape.scenario, ran.watch.clock, out)
        played = _judge(shape, ran, evidence)
        run = _Finished(shape, choice, testnet, time.monotonic() - begun)
        _write(run, played, evidence, out)
    return played


def _play(shape: Shape, testnet: LabNetwork, wires: Wires, out: Path, tell: Tell) -> _Ran:
    wires.apply(rules_of(shape.scenario))
    nodes = len(testnet.members)
    for member, skew_ns in zip(testnet.members, shape.scenario.skews_ns, strict=False):
        change_faults(member, clock_error_ns=skew_ns)
    early = [node for node in range(nodes) if node not in shape.scenario.late]
    testnet = running.start(testnet, early)
    deadline = time.monotonic() + READY_SECONDS + READY_SECONDS_PER_NODE * nodes
    wait_until_ready([testnet.member(node) for node in early], deadline)
    genesis = read_genesis(layout(testnet.members[0].data_dir).genesis)
    clock = start_clock(genesis.time_ms)
    tell({"ready": True, "scenario": shape.scenario.name, "nodes": nodes})
    course = _Course()
    with Watch(clock, out / NODES, nodes) as watch:
        watch.skewed = skewed_nodes(shape.scenario)
        timeline = Timeline(shape.scenario, testnet, wires, clock)
        trio.run(_run, shape, testnet, watch, timeline, course)
    if course.is_interrupted:
        raise KeyboardInterrupt
    gone = [
        Violation("no_crash", one.node, f"its process ended by itself: {last_words(one)}")
        for one in load(testnet.folder).members
        if one.life is Life.GONE
    ]
    return _Ran(timeline, course, watch, tuple(gone))


async def _run(
    shape: Shape, testnet: LabNetwork, watch: Watch, timeline: Timeline, course: _Course
) -> None:
    scenario = shape.scenario
    async with trio.open_nursery() as following:
        following.start_soon(_heed_signals, following.cancel_scope, course)
        for member in testnet.members:
            following.start_soon(collect, member, watch)
            following.start_soon(sample, member, watch)
        async with trio.open_nursery() as acting:
            acting.start_soon(timeline.run)
            acting.start_soon(ask_all, scenario, testnet, watch.clock, course.asked)
        await trio.sleep(max(0, scenario.safety_ns - watch.clock.now()) / SECOND)
        quiet_index = max(watch.reached(node) for node in range(watch.nodes))
        with trio.move_on_after(scenario.liveness_ns / SECOND):
            while not _is_done(watch, course.asked, quiet_index):  # noqa: ASYNC110
                await trio.sleep(PATIENCE_SECONDS)
            course.is_done = True
        course.ended_ns = watch.clock.now()
        following.cancel_scope.cancel()


async def _heed_signals(scope: trio.CancelScope, course: _Course) -> None:
    """End everything in order; a signal's own exception would come in the middle of anything."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            course.is_interrupted = True
            scope.cancel()


def _is_done(watch: Watch, asked: Sequence[Asked], quiet_index: int) -> bool:
    """Whether everybody has gone on, and all that was asked for is final.

    Any node may say so: one that crashed may have become final in silence, and be right.
    """
    has_moved = all(watch.reached(node) > quiet_index for node in range(watch.nodes))
    wanted = [row for row in asked if row.operation]
    jobs = [row.operation for row in wanted if row.kind == "Offer"]
    return (
        has_moved
        and all(row.operation in watch.ended for row in wanted)
        and all(job in watch.settled for job in jobs)
    )


def _judge(shape: Shape, ran: _Ran, evidence: Gathered) -> Played:
    scenario, watch, notes = shape.scenario, ran.watch, ran.timeline.notes
    pairs = list(zip(scenario.faults, notes, strict=True))
    for fault, note in pairs:
        if isinstance(fault, ClockJump):
            note.count = stray_facts(fault, note, watch)
    recoveries = tuple(recovery_of(fault, note, scenario, watch) for fault, note in pairs)
    missed = missed_bites(notes, recoveries)
    found = [Violation("agreement", -1, one) for one in conflicts(watch)]
    found += ran.gone
    if not ran.course.is_done:
        found.append(Violation("liveness", -1, "not everything was final in time"))
    trouble = store_trouble(evidence.stores)
    if trouble and False in (evidence.stores["agree"], evidence.stores["audited"]):
        found.append(Violation("convergence", -1, trouble))
    left = Left(
        as_played(scenario, notes),
        evidence.setup,
        evidence.steps,
        evidence.blocks,
        evidence.waiting,
        found,
        [Bite(note.kind, note.count) for note in notes],
        {"bites": "; ".join(missed), "convergence": trouble},
    )
    checks = judge(left)
    verdict, reasons = verdict_on(checks)
    return Played(
        verdict,
        reasons,
        checks,
        tuple(notes),
        recoveries,
        evidence.stores,
        tuple(ran.course.asked),
        watch,
        ran.course.ended_ns,
    )


def verdict_on(checks: Sequence[Check]) -> tuple[Verdict, tuple[str, ...]]:
    """Sum up as of a simulated run, with reasons; stores that cannot be compared prove nothing."""
    verdict = verdict_of(checks)
    decisive = ("bites", "convergence")
    unknown = [one for one in checks if one.name in decisive and one.result is Result.UNKNOWN]
    if unknown and verdict is Verdict.PASS:
        verdict = Verdict.UNKNOWN
    broken = [one for one in checks if one.result is Result.BROKEN]
    return verdict, tuple(f"{one.name}: {one.reason}" for one in (*broken, *unknown))


def _end(folder: Path) -> None:
    with suppress(LabError), undisturbed():
        running.end(load(folder))


def _write(run: _Finished, played: Played, evidence: Gathered, out: Path) -> None:
    faults = zip(played.faults, played.recoveries, strict=True)
    write_lines(out / REQUESTS, played.asked)
    write_lines(out / FAULTS, ({"fault": one, "recovery": two} for one, two in faults))
    manifest = as_json(_manifest(run, played))
    assert isinstance(manifest, dict)
    scenario = run.shape.scenario
    numbers = {one.account: one.node for one in run.testnet.members}
    closed = tuple(closed_times(scenario.faults, played.faults))
    links = traffic_of(samples_of(evidence.steps), numbers, closed)
    seen = Seen(scenario, evidence, played.asked, played.faults, links, played.ended_ns)
    trouble = write_tables(seen, out, manifest)
    if trouble:
        write_manifest(out, manifest | {"tables": trouble})


def _manifest(run: _Finished, played: Played) -> dict[str, object]:
    scenario, watch = run.shape.scenario, played.watch
    return {
        "source": "processes",
        "name": scenario.name,
        "scenario": scenario,
        "seed": scenario.seed,
        "version": __version__,
        "commit": source_commit(),
        "trace": "",
        "outcome": played.verdict.name.lower(),
        "checks": checks_to_json(played.checks),
        "violations": [
            {"invariant": one.name, "node": -1, "detail": one.reason}
            for one in played.checks
            if one.result is Result.BROKEN
        ],
        "nodes": scenario.nodes,
        "honest": scenario.honest,
        "virtual_ms": played.ended_ns / MILLISECOND,
        "wall_ms": run.seconds * 1_000,
        "dropped": {},
        "processes": {
            "links": run.choice.links,
            "wires": run.choice.wires,
            "links_reason": run.choice.reason,
            "switch": lateness_of(run.testnet.folder),
            "asked_round_ms": run.shape.asked_round_ms,
            "round_ms": scenario.parameters.minimum_round_ms,
            "cores": os.cpu_count(),
            "notes": run.shape.notes,
            "stores": played.stores,
            "commits": [watch.reached(node) for node in range(watch.nodes)],
            "facts_missed": watch.missed,
            "streams_broken": watch.gaps,
            "clock": asdict(watch.clock),
        },
    }
