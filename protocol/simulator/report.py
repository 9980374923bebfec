"""What a run says to people: its options first, then its outcome and how to repeat it."""

from collections.abc import Iterator, Sequence

from protocol.simulator.checks import Result
from protocol.simulator.run import Outcome, Verdict
from protocol.simulator.scenario import Scenario
from protocol.units import MILLISECOND

SHOWN_VIOLATIONS = 8


def options(scenario: Scenario) -> Iterator[str]:
    """Says what was drawn, before anything runs."""
    yield f"seed {scenario.seed}: {scenario.name}, stakes {_list(scenario.stakes)}, " + (
        f"{scenario.observers} observers"
    )
    conditions, workload = scenario.conditions, scenario.workload
    delay = conditions.delay
    yield (
        f"  links: {delay.law.value} {delay.low_ns // MILLISECOND}-{delay.high_ns // MILLISECOND} "
        f"ms, loss {conditions.loss_ppm} ppm, duplicates {conditions.duplicate_ppm} ppm; "
        f"sync {scenario.sync_ns // MILLISECOND} ms; "
        f"rounds {scenario.parameters.minimum_round_ms}/{scenario.parameters.idle_round_ms} ms"
    )
    yield f"  asks: {workload.transfers} transfers, {workload.jobs} jobs"
    if scenario.skews_ns:
        yield f"  clocks: {_list(skew // MILLISECOND for skew in scenario.skews_ns)} ms off"
    for fault in scenario.faults:
        yield f"  fault: {fault}"
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
        yield f"  {bite.kind}: {f'bit {bite.count} times' if bite.count else 'never bit'}"
    kept = [check.name for check in outcome.checks if check.result is Result.HOLDS]
    yield f"  holds: {', '.join(kept)}"
    for check in outcome.checks:
        if check.result is Result.UNKNOWN:
            yield f"  unknown: {check.name}, {check.reason}"
    for violation in outcome.violations[:SHOWN_VIOLATIONS]:
        yield (
            f"  broken: {violation.invariant} at node {violation.node}, "
            f"{violation.time_ns // MILLISECOND} ms: {violation.detail}"
        )
    if outcome.verdict not in (Verdict.PASS, Verdict.UNKNOWN):
        yield f"  repeat with: {command}"


def summary(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Counts verdicts, in how many runs each promise was seen to hold, and which faults bit."""
    tally = dict.fromkeys(Verdict, 0)
    planned: dict[str, int] = {}
    bitten: dict[str, int] = {}
    for outcome in outcomes:
        tally[outcome.verdict] += 1
        for kind in dict.fromkeys(bite.kind for bite in outcome.bites):
            planned[kind] = planned.get(kind, 0) + 1
            bit = any(bite.count for bite in outcome.bites if bite.kind == kind)
            bitten[kind] = bitten.get(kind, 0) + bit
    counts = ", ".join(f"{count} {verdict.name.lower()}" for verdict, count in tally.items())
    yield f"{len(outcomes)} runs: {counts}"
    yield f"  seen to hold: {', '.join(_kept(outcomes))}"
    accepted = sum(outcome.counts.accepted for outcome in outcomes)
    wrong = sum(outcome.counts.wrong for outcome in outcomes)
    yield f"  results: {accepted} accepted, {wrong} of them wrong"
    for kind in sorted(planned):
        yield f"  {kind}: in {planned[kind]} runs, bit in {bitten[kind]}"


def _kept(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Says of each promise in how many runs it held; in the others it was broken or not shown."""
    kept: dict[str, int] = {}
    for outcome in outcomes:
        for check in outcome.checks:
            kept[check.name] = kept.get(check.name, 0) + (check.result is Result.HOLDS)
    yield from (f"{name} {count}" for name, count in kept.items())


def _list(numbers: Iterator[int] | Sequence[int]) -> str:
    return ",".join(str(number) for number in numbers)
