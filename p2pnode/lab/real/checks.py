"""How a real network came through its faults, by what its nodes reported."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from p2pnode.lab.real.shape import longest_delay_ns
from p2pnode.lab.real.timeline import SETTLE_NS, FaultNote
from p2pnode.lab.real.watch import Watch
from protocol.ledger.committee import quorum_of
from protocol.simulator.scenario import ClockJump, Crash, Fault, Partition, Pause, Scenario
from protocol.units import MILLISECOND, Weight

GOING_ROUNDS = 8
"""Idle rounds in which a side with a quorum finalises something, with leaders beyond the cut."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a network came back from one fault; times are nanoseconds after its end.

    Attributes:
        kind: Class of the fault.
        stuck: Nodes that must not have finalised anything meanwhile, for want of a quorum.
        stuck_commits: What they finalised all the same, once the fault had settled.
        others_commits: What the rest finalised meanwhile.
        going: Nodes that had a quorum all the while, for long enough to finalise something.
        first_final_ns: Until all nodes concerned had finalised something new.
        agreement_ns: Until every node had all that any node knew at the end of the fault.
    """

    kind: str
    stuck: tuple[int, ...]
    stuck_commits: int
    others_commits: int
    first_final_ns: int | None
    agreement_ns: int | None
    going: tuple[int, ...] = ()


def conflicts(watch: Watch) -> list[str]:
    """Name every commit that two nodes reported differently."""
    known: dict[int, tuple[str, str, int]] = {}
    found = []
    for node, commits in enumerate(watch.commits):
        for index, commit in commits.items():
            told = (commit.digest, commit.state_digest)
            first = known.setdefault(index, (*told, node))
            if first[:2] != told:
                found.append(f"nodes {first[2]} and {node} differ at commit {index}")
    return found


def recovery_of(fault: Fault, note: FaultNote, scenario: Scenario, watch: Watch) -> Recovery | None:
    """Judge how a network came through one fault; None when it was never in effect."""
    if note.begun_ns is None or note.ended_ns is None:
        return None
    stuck = _stuck(fault, scenario)
    since = note.begun_ns + SETTLE_NS + longest_delay_ns(scenario.conditions)
    meanwhile = [_between(watch, node, since, note.ended_ns) for node in range(scenario.nodes)]
    others = [node for node in range(scenario.nodes) if node not in stuck]
    concerned = stuck or note.nodes or others
    return Recovery(
        note.kind,
        stuck,
        sum(meanwhile[node] for node in stuck),
        max((meanwhile[node] for node in others), default=0),
        _first_final_ns(watch, concerned, note.ended_ns),
        agreement_ns(watch, note.ended_ns),
        _going(fault, scenario, note.ended_ns - since),
    )


def as_played(scenario: Scenario, notes: Sequence[FaultNote]) -> Scenario:
    """The scenario with each partition when it really was, once all parts had seen it.

    One that never took effect is left out.
    """
    found: list[Fault] = []
    for fault, note in zip(scenario.faults, notes, strict=True):
        if not isinstance(fault, Partition):
            found.append(fault)
        elif note.begun_ns is not None and note.ended_ns is not None:
            since = note.begun_ns + SETTLE_NS + longest_delay_ns(scenario.conditions)
            found.append(replace(fault, start_ns=since, end_ns=max(since, note.ended_ns)))
    return replace(scenario, faults=tuple(found))


def stray_facts(fault: ClockJump, note: FaultNote, watch: Watch) -> int:
    """How many facts a node stamped at least half as wrongly as its clock was meant to be."""
    if note.begun_ns is None or note.ended_ns is None:
        return 0
    return sum(
        note.begun_ns < arrived_ns < note.ended_ns
        and 2 * abs(ahead_ns) >= abs(fault.skew_ns)
        and (ahead_ns > 0) == (fault.skew_ns > 0)
        for arrived_ns, ahead_ns in watch.errors.get(fault.node, ())
    )


def missed_bites(notes: Sequence[FaultNote], recoveries: Sequence[Recovery | None]) -> list[str]:
    """Say of which faults nothing shows that they did what they were meant to."""
    found = []
    for note, recovery in zip(notes, recoveries, strict=True):
        if not note.count:
            told = f"the fault {note.kind} did not bite"
            if note.silent:
                told += f", as nodes {note.silent} sent nothing against it"
            found.append(f"{told}: {note.trouble}" if note.trouble else told)
        if note.passed_bytes:
            found.append(f"the fault {note.kind} let {note.passed_bytes} bytes pass")
        if recovery is not None and recovery.going and not recovery.others_commits:
            told = f"nodes {recovery.going}, which had a quorum, finalised nothing"
            found.append(f"during the fault {note.kind} {told}")
    return found


def agreement_ns(watch: Watch, moment_ns: int) -> int | None:
    """Time from a moment until every node had applied all that any had applied by then."""
    known = [
        index
        for commits in watch.commits
        for index, commit in commits.items()
        if commit.time_ns <= moment_ns
    ]
    target = max(known, default=0)
    reached = [_reached_ns(watch, node, target) for node in range(watch.nodes)]
    times = [time_ns for time_ns in reached if time_ns is not None]
    if len(times) < watch.nodes:
        return None
    return max(0, max(times) - moment_ns)


def _stuck(fault: Fault, scenario: Scenario) -> tuple[int, ...]:
    """Nodes that a fault leaves without a quorum, or that do nothing meanwhile."""
    if isinstance(fault, Crash | Pause):
        return (fault.node,)
    if not isinstance(fault, Partition):
        return ()
    total = Weight(sum(scenario.stakes))
    quorum = quorum_of(total, churn_profile=scenario.parameters.churn_profile)
    found: list[int] = []
    for group in fault.groups:
        if _weight(scenario, group) < quorum:
            found += group
    return tuple(sorted(found))


def _going(fault: Fault, scenario: Scenario, span_ns: int) -> tuple[int, ...]:
    """Nodes on the side of a partition that has a quorum, if they have time for commits."""
    round_ns = scenario.parameters.idle_round_ms * MILLISECOND
    needed_ns = GOING_ROUNDS * (round_ns + longest_delay_ns(scenario.conditions))
    if not isinstance(fault, Partition) or span_ns < needed_ns:
        return ()
    stuck = _stuck(fault, scenario)
    return tuple(sorted(one for group in fault.groups for one in group if one not in stuck))


def _weight(scenario: Scenario, nodes: Sequence[int]) -> int:
    return sum(scenario.stakes[node] for node in nodes if node < len(scenario.stakes))


def _between(watch: Watch, node: int, since_ns: int, until_ns: int) -> int:
    times = [commit.time_ns for commit in watch.commits[node].values()]
    return sum(since_ns < time_ns < until_ns for time_ns in times)


def _first_final_ns(watch: Watch, nodes: Sequence[int], moment_ns: int) -> int | None:
    firsts = []
    for node in nodes:
        times = [commit.time_ns for commit in watch.commits[node].values()]
        later = [time_ns - moment_ns for time_ns in times if time_ns >= moment_ns]
        if not later:
            return None
        firsts.append(min(later))
    return max(firsts, default=None)


def _reached_ns(watch: Watch, node: int, target: int) -> int | None:
    """When a node had applied a commit or, if nobody was told of that one, a later one."""
    times = [one.time_ns for index, one in watch.commits[node].items() if index >= target]
    return min(times, default=None)
