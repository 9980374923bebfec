"""What a run says to people: its options first, then its outcome and how to repeat it."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

from protocol.simulator.checks import Result
from protocol.simulator.network import Delay
from protocol.simulator.run import Outcome, Verdict
from protocol.simulator.scenario import Fault, Scenario
from protocol.units import MILLISECOND

SHOWN_VIOLATIONS = 8
KIND_WIDTH = 14
"""Of the longest name of a class."""
WINDOW = ("start_ns", "end_ns")
"""Fields of a fault that are told apart."""


def options(scenario: Scenario) -> Iterator[str]:
    """Says what was drawn, before anything runs."""
    yield f"seed {scenario.seed}: {scenario.name}, stakes {_list(scenario.stakes)}, " + (
        f"{scenario.observers} observers"
    )
    yield from _links(scenario)
    yield from _machines(scenario)
    if scenario.overlay is not None:
        yield f"  overlay: {_told(scenario.overlay)}"
    workload = scenario.workload
    yield f"  asks: {workload.transfers} transfers, {workload.jobs} jobs"
    for fault in scenario.faults:
        yield f"  fault: {_fault(fault)}"
    if scenario.twins:
        yield f"  twins: a second one runs with the keys of {_list(scenario.twins)}"
    for node, behaviour in scenario.behaviours:
        yield f"  node {node} is {behaviour.value}"


def outcome_lines(outcome: Outcome, command: str) -> Iterator[str]:
    """Says what a run came to; a failing one with the command that repeats it."""
    counts, traffic = outcome.counts, outcome.traffic
    yield (
        f"  {outcome.verdict.name.lower()}: {counts.commits} commits, {counts.jobs} jobs, "
        f"{counts.events} events, {traffic.messages} messages, {traffic.size_bytes} bytes, "
        f"ended at {counts.ended_ns // MILLISECOND} ms, trace {outcome.trace[:16]}"
    )
    for bite in outcome.bites:
        yield f"  {bite.kind}: {_times(bite.count)}"
    width = max((len(check.name) for check in outcome.checks), default=0)
    for check in outcome.checks:
        yield f"  {check.name:{width}}  {check.result.value:7}  {check.reason}".rstrip()
    for violation in outcome.violations[:SHOWN_VIOLATIONS]:
        yield (
            f"  broken: {violation.invariant} at node {violation.node}, "
            f"{violation.time_ns // MILLISECOND} ms: {violation.detail}"
        )
    if outcome.verdict not in (Verdict.PASS, Verdict.UNKNOWN):
        yield f"  repeat with: {command}"


def summary(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Counts verdicts, in how many runs each promise was seen to hold, and what went wrong."""
    tally = dict.fromkeys(Verdict, 0)
    for outcome in outcomes:
        tally[outcome.verdict] += 1
    counts = ", ".join(f"{count} {verdict.name.lower()}" for verdict, count in tally.items())
    yield f"{len(outcomes)} runs: {counts}"
    yield f"  seen to hold: {', '.join(_kept(outcomes))}"
    accepted = sum(outcome.counts.accepted for outcome in outcomes)
    wrong = sum(outcome.counts.wrong for outcome in outcomes)
    yield f"  results: {accepted} accepted, {wrong} of them wrong"
    yield from _classes(outcomes)


def _classes(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Says of each class of fault in how many runs it fired, was the only one, and bit."""
    fired: dict[str, list[int]] = {}
    for outcome in outcomes:
        kinds = dict.fromkeys(bite.kind for bite in outcome.bites)
        bitten = dict.fromkeys(bite.kind for bite in outcome.bites if bite.count)
        for kind in kinds:
            row = fired.setdefault(kind, [0, 0, 0])
            for column, counts in enumerate((True, len(kinds) == 1, kind in bitten)):
                row[column] += counts
    if fired:
        yield f"  {'class':{KIND_WIDTH}} {'fired':>6} {'alone':>6} {'bit':>6}   of {len(outcomes)}"
    for kind, (count, alone, bit) in sorted(fired.items(), key=lambda entry: entry[0].lower()):
        yield f"  {kind:{KIND_WIDTH}} {count:>6} {alone:>6} {bit:>6}"


def _kept(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Says of each promise in how many runs it held; in the others it was broken or not shown."""
    kept: dict[str, int] = {}
    for outcome in outcomes:
        for check in outcome.checks:
            kept[check.name] = kept.get(check.name, 0) + (check.result is Result.HOLDS)
    yield from (f"{name} {count}" for name, count in kept.items())


def _links(scenario: Scenario) -> Iterator[str]:
    conditions, terms = scenario.conditions, scenario.parameters
    yield (
        f"  links: {_delay(conditions.delay)}, loss {conditions.loss_ppm} ppm, "
        f"duplicates {conditions.duplicate_ppm} ppm; "
        f"rounds {terms.minimum_round_ms}/{terms.idle_round_ms} ms"
    )
    if conditions.regions:
        yield f"  regions: of each node {_list(conditions.regions)}; delays between them in ms:"
        for row in conditions.region_delays_ns:
            yield f"    {_list(delay // MILLISECOND for delay in row)}"
    if conditions.uplink is not None:
        yield f"  uplink: {_told(conditions.uplink)}"
    for node, uplink in conditions.uplinks:
        yield f"  uplink of node {node}: {_told(uplink)}"


def _machines(scenario: Scenario) -> Iterator[str]:
    sync = scenario.sync_delay
    told = f"{scenario.sync_ns // MILLISECOND} ms" if sync is None else _delay(sync)
    yield f"  sync: {told}"
    if scenario.costs is not None:
        yield f"  costs: {_told(scenario.costs)}"
    if scenario.skews_ns:
        yield f"  clocks: {_list(skew // MILLISECOND for skew in scenario.skews_ns)} ms off"


def _fault(fault: Fault) -> str:
    start, end = fault.start_ns // MILLISECOND, fault.end_ns // MILLISECOND
    return f"{type(fault).__name__} from {start} to {end} ms, {_told(fault, WINDOW)}"


def _delay(delay: Delay) -> str:
    low, high = delay.low_ns // MILLISECOND, delay.high_ns // MILLISECOND
    return f"{delay.law.value} {low}-{high} ms"


def _told(value: object, silent: Sequence[str] = ()) -> str:
    """Names the fields of a value that are not what they are when nothing is said."""
    if not is_dataclass(value):
        return str(getattr(value, "value", value))
    told = []
    for field in fields(value):
        part = getattr(value, field.name)
        if field.name not in silent and part != field.default:
            told.append(f"{field.name} {_part(field.name, part)}")
    return ", ".join(told) or "as usual"


def _part(name: str, part: object) -> str:
    """Writes groups and links as a file has them."""
    if is_dataclass(part):
        return f"({_told(part)})"
    if not isinstance(part, tuple):
        return _told(part)
    inner, outer = (">", " ") if name == "pairs" else (",", " | ")
    return outer.join(_joined(one, inner) for one in part)


def _joined(one: object, sign: str) -> str:
    return sign.join(map(str, one)) if isinstance(one, tuple) else str(one)


def _times(count: int) -> str:
    if not count:
        return "never bit"
    return "bit once" if count == 1 else f"bit {count} times"


def _list(numbers: Iterator[int] | Sequence[int]) -> str:
    return ",".join(str(number) for number in numbers)
