"""What a run says of each promise: it holds, it is broken, or nothing in the run could show it.

That one seed gives one trace in any process is no check of a run: only two runs can show it, as
`tests/simulation/test_determinism.py` does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from protocol.simulator.faults import Bite
from protocol.simulator.labels import Labels
from protocol.simulator.log import Log, Violation
from protocol.simulator.promptness import Promptness
from protocol.simulator.quality import Quality, lies_beyond_bound
from protocol.simulator.scenario import Scenario

DETAILS_MAX: Final = 3
"""Violations that a check spells out."""


class Result(Enum):
    """What a run says of a promise."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and what a run says of it.

    Attributes:
        name: Of the promise.
        result: Whether it was kept.
        reason: What broke it, or why the run cannot tell; empty when it holds.
    """

    name: str
    result: Result
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a run leaves to be judged.

    Attributes:
        found: What was broken.
        quality: What the accepted results are worth.
        bites: What every fault came to.
        is_whole: Whether the run went to its end; a crash of a core cuts it short.
    """

    scenario: Scenario
    log: Log
    labels: Labels
    promptness: Promptness
    found: Sequence[Violation]
    quality: Quality
    bites: Sequence[Bite]
    is_whole: bool


Gap = Callable[[Evidence], str]
"""Says why a run cannot tell whether a promise was kept; empty when it can."""


def checks_of(evidence: Evidence) -> tuple[Check, ...]:
    """Judges every promise."""
    broken: dict[str, list[Violation]] = {}
    for violation in evidence.found:
        broken.setdefault(violation.invariant, []).append(violation)
    return tuple(_check(name, broken.get(name, []), evidence) for name in GAPS)


def _check(name: str, broken: Sequence[Violation], evidence: Evidence) -> Check:
    if broken:
        return Check(name, Result.BROKEN, _told(broken))
    gap = GAPS[name](evidence)
    if not gap and not evidence.is_whole:
        gap = "the run was cut short"
    return Check(name, Result.UNKNOWN, gap) if gap else Check(name, Result.HOLDS)


def _told(broken: Sequence[Violation]) -> str:
    details = [
        f"{one.detail} at node {one.node}" if one.node >= 0 else one.detail
        for one in broken[:DETAILS_MAX]
    ]
    more = len(broken) - len(details)
    return "; ".join(details) + (f" and {more} more" if more else "")


def _never(_: Evidence) -> str:
    return ""


def _without(count: Callable[[Evidence], int], reason: str) -> Gap:
    """A promise that needs something to have happened."""
    return lambda evidence: "" if count(evidence) else reason


def _never_slashed(evidence: Evidence) -> str:
    outvoted = evidence.log.outvoted
    return f"liars with a third of the stake slashed {outvoted} honest workers" if outvoted else ""


def _result_quality(evidence: Evidence) -> str:
    accepted, wrong = len(evidence.quality.tolerated_ppm), evidence.quality.wrong
    if not accepted:
        return "no result was accepted"
    if not wrong:
        return ""
    told = f"{wrong} of {accepted} accepted results wrong"
    if lies_beyond_bound(evidence.scenario):
        return f"{told}, with more liars than the terms assume"
    return f"{told}, which proves little in one run"


def _honest_labels(evidence: Evidence) -> str:
    return "" if evidence.labels.isolations else "no clean cut left anybody without a quorum"


def _liveness(evidence: Evidence) -> str:
    return "nobody waits for a run that broke another promise" if evidence.found else ""


def _promptness(evidence: Evidence) -> str:
    if evidence.promptness.is_excused:
        return "no bound is promised where links or nodes fail"
    return "" if evidence.promptness.waited else "nothing became final that was asked for"


def _bites(evidence: Evidence) -> str:
    missed = dict.fromkeys(bite.kind for bite in evidence.bites if not bite.count)
    return f"never bit: {', '.join(missed)}" if missed else ""


GAPS: Final[Mapping[str, Gap]] = MappingProxyType(
    {
        "no_crash": _never,
        "agreement": _without(lambda one: len(one.log.commits), "nothing became final"),
        "convergence": _without(
            lambda one: max(0, len(one.log.reached) - 1), "fewer than two nodes made anything final"
        ),
        "conservation": _never,
        "own_slot": _without(lambda one: one.log.blocks, "no honest node proposed a block"),
        "durability": _without(lambda one: one.log.asked, "nothing was asked for"),
        "exactly_once": _without(lambda one: len(one.log.settled), "no job ended"),
        "honest_never_slashed": _never_slashed,
        "accountability": _without(
            lambda one: len(one.log.equivocations) + one.log.convictions, "nobody was convicted"
        ),
        "lottery": _without(lambda one: one.log.executed, "nobody was drawn"),
        "bounds": _never,
        "no_spin": _never,
        "result_quality": _result_quality,
        "honest_labels": _honest_labels,
        "liveness": _liveness,
        "promptness": _promptness,
        "bites": _bites,
    }
)
"""Every promise in the order of reports, and why a run may not tell."""

LIVENESS: Final = ("liveness", "promptness")
"""Promises that something happens; all others are that nothing wrong does."""
