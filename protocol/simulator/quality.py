"""How many accepted results are wrong, against the error that their offers tolerate.

One run accepts few results, so that a wrong one among them proves little: it is counted, and only a
number that the tolerated errors make next to impossible breaks the promise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.job.record import ResultOutcome
from protocol.simulator.adversary import right_result
from protocol.simulator.chance import MILLION
from protocol.simulator.log import Violation, lying_share_bp
from protocol.simulator.scenario import Scenario
from protocol.simulator.world import World

SURPRISE_PPM: Final = 1
"""A number of wrong results less likely than this breaks the promise."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What the accepted results of a run are worth.

    Attributes:
        tolerated_ppm: The error that the offer of each accepted result tolerates.
        wrong: How many of them no honest run yields.
    """

    tolerated_ppm: tuple[int, ...] = ()
    wrong: int = 0


def quality_of(world: World) -> Quality:
    """Compares what was accepted, as the node that is furthest sees it, to the right results."""
    cores = [node.core for node in world.live_honest if node.core is not None]
    if not cores:
        return Quality()
    newest = max(cores, key=lambda core: core.state.index)
    tolerated, wrong = [], 0
    for job in newest.state.jobs.values():
        accepted = job.accepted
        if accepted is None or accepted.outcome is not ResultOutcome.FINISHED:
            continue
        tolerated.append(job.offer.tolerated_error_ppm)
        wrong += accepted.output != right_result(job.offer)
    return Quality(tuple(tolerated), wrong)


def result_quality(world: World) -> list[Violation]:
    """Wrong results are accepted no more often than is tolerated, while liars are few enough."""
    return too_many_wrong(world.scenario, quality_of(world), world.engine.now)


def too_many_wrong(scenario: Scenario, quality: Quality, time_ns: int) -> list[Violation]:
    """Judges how many results are wrong, which somebody has counted."""
    if not quality.wrong or lies_beyond_bound(scenario):
        return []
    is_surprise = is_less_likely(quality.wrong, quality.tolerated_ppm, SURPRISE_PPM)
    if is_surprise or not lying_share_bp(scenario):
        detail = f"{quality.wrong} wrong of {len(quality.tolerated_ppm)} accepted results"
        return [Violation("result_quality", -1, detail, time_ns)]
    return []


def lies_beyond_bound(scenario: Scenario) -> bool:
    """Whether more results are wrong than a network of these terms assumes."""
    return lying_share_bp(scenario) > scenario.parameters.assumed_fault_share


def is_less_likely(count: int, chances_ppm: Sequence[int], limit_ppm: int) -> bool:
    """Whether so many hits of independent chances are rarer than a limit; exact in integers.

    Args:
        count: Hits, or more of them.
        chances_ppm: Chance of each trial in millionths.
        limit_ppm: The limit in millionths.
    """
    ways = [1]
    for chance in chances_ppm:
        missed = [part * (MILLION - chance) for part in (*ways, 0)]
        hit = [part * chance for part in (0, *ways)]
        ways = [one + other for one, other in zip(missed, hit, strict=True)]
    whole = 1
    for _ in chances_ppm:
        whole *= MILLION
    return sum(ways[count:]) * MILLION < limit_ppm * whole
