"""What of a scenario real processes can play, at which pace, and what is refused and why."""

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, dataclass, fields, replace

from p2pnode.lab.founding import EXAMPLES, NODES_MAX, paced
from p2pnode.lab.testnet import LabError
from p2pnode.network import LinkRule
from protocol.parameters import Parameters
from protocol.simulator.cuts import between_groups
from protocol.simulator.network import Conditions, Delay, Law, Pair
from protocol.simulator.scenario import (
    Behaviour,
    ClockJump,
    Clog,
    Crash,
    Cut,
    Fault,
    Join,
    LossBurst,
    Partition,
    Pause,
    Scenario,
    SlowLink,
    StaleDisk,
    StoreFailure,
)
from protocol.units import MILLISECOND

JOB_FILE = EXAMPLES / "01_wasm" / "job.toml"
"""Every job of a workload is this one: the simulator's own are about artefacts that nobody has."""
MILLION = 1_000_000
FIRST = 0
"""The node through which all others find the network."""

OF_NODES = (Crash, Pause, ClockJump, StoreFailure, StaleDisk, Join)
"""Faults of nodes; all others are of links."""
_PLAYABLE = (Partition, Cut, Clog, SlowLink, LossBurst, *OF_NODES)
_BEHAVIOURS = (Behaviour.HONEST, Behaviour.LYING)
_KNOWN = frozenset(
    (
        *("name", "seed", "stakes", "conditions", "workload", "safety_ns", "observers"),
        *("parameters", "faults", "behaviours", "skews_ns", "twins", "liveness_ns", "sync_ns"),
        *("delay", "loss_ppm", "duplicate_ppm", "slow", "lossy", "narrow"),
        *("regions", "region_delays_ns", "costs"),
        *("transfers", "jobs", "span_ns", "arrivals", "replicas", "spares"),
        *("tolerated_errors_ppm", "sync_delay"),
    )
)
"""Fields of a scenario, its links and its workload that are dealt with here."""


class Unplayable(LabError):  # noqa: N818  named for what is wrong
    """Real processes cannot do all that a scenario asks for; the text names everything."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A scenario as processes play it.

    Attributes:
        scenario: With the pace of this machine.
        asked_round_ms: The pace that the scenario asked for.
        notes: What is different on real processes, in sentences.
    """

    scenario: Scenario
    asked_round_ms: int
    notes: tuple[str, ...]

    @property
    def liars(self) -> tuple[int, ...]:
        """Nodes that alter their results."""
        return tuple(node for node, kind in self.scenario.behaviours if kind is Behaviour.LYING)


def shape_of(scenario: Scenario, cores: int) -> Shape:
    """Translate a scenario.

    Raises:
        Unplayable: It asks for what processes cannot do.
    """
    refused = tuple(_refused(scenario))
    if refused:
        raise Unplayable("not possible on real processes: " + "; ".join(refused))
    terms = _paced(scenario.parameters, scenario.nodes, cores)
    return Shape(
        replace(scenario, parameters=terms),
        scenario.parameters.minimum_round_ms,
        tuple(_notes(scenario, terms)),
    )


def rules_of(scenario: Scenario, active: Sequence[Fault] = ()) -> dict[Pair, LinkRule]:
    """The rule of every directed pair that is not whole while these faults are active."""
    loss_ppm = sum(fault.ppm for fault in active if isinstance(fault, LossBurst))
    closed = frozenset(pair for fault in active for pair in pairs_of(fault))
    slowed = [fault for fault in active if isinstance(fault, SlowLink)]
    found = {}
    for pair in _all_pairs(scenario.nodes):
        rule = _lasting(scenario.conditions, pair, loss_ppm)
        rule = replace(rule, mute=pair in closed)
        for fault in slowed:
            rule = _slower(rule, fault) if pair in fault.pairs else rule
        if rule != LinkRule():
            found[pair] = rule
    return found


def pairs_of(fault: Fault) -> tuple[Pair, ...]:
    """The directed pairs that a fault closes."""
    match fault:
        case Partition(groups=groups):
            return between_groups(groups)
        case Cut(pairs=pairs) | Clog(pairs=pairs):
            return pairs
        case _:
            return ()


def skewed_nodes(scenario: Scenario) -> frozenset[int]:
    """Nodes whose clock is off at any time."""
    jumping = [fault.node for fault in scenario.faults if isinstance(fault, ClockJump)]
    return frozenset((*jumping, *(node for node, one in enumerate(scenario.skews_ns) if one)))


def needs_a_switch(scenario: Scenario) -> bool:
    """Whether links do more than being whole or cut."""
    bursts = [fault for fault in scenario.faults if isinstance(fault, LossBurst | SlowLink)]
    return bool(rules_of(scenario, bursts))


def has_long_tails(scenario: Scenario) -> bool:
    """Whether the delay of any link has a tail."""
    return any(delay.law is Law.LONG_TAILED for delay in _delays(scenario.conditions))


def longest_delay_ns(conditions: Conditions) -> int:
    """How long a message of before a cut may still be on its way, but for a rare tail."""
    regions = max((one for row in conditions.region_delays_ns for one in row), default=0)
    return regions + 4 * max(delay.high_ns for delay in _delays(conditions))


def _delays(conditions: Conditions) -> tuple[Delay, ...]:
    return (conditions.delay, *dict(conditions.slow).values())


def _paced(terms: Parameters, nodes: int, cores: int) -> Parameters:
    """The machine's pace, or the scenario's own where that is slower."""
    machine = paced(terms, nodes, cores)
    return machine if machine.minimum_round_ms > terms.minimum_round_ms else terms


def _refused(scenario: Scenario) -> Iterator[str]:
    if scenario.nodes > NODES_MAX:
        yield f"{scenario.nodes} nodes, since one machine runs at most {NODES_MAX}"
    if scenario.twins:
        yield "twins, since links are told apart by the keys of their ends"
    if any(delay.law in (Law.NORMAL, Law.LOGNORMAL) for delay in _delays(scenario.conditions)):
        yield "delays with another law than constant, uniform and long-tailed"
    if scenario.conditions.duplicate_ppm:
        yield "duplicated messages, since TCP removes every copy"
    for behaviour in sorted(kind.value for _, kind in scenario.behaviours):
        if Behaviour(behaviour) not in _BEHAVIOURS:
            yield f"a node that is {behaviour}"
    for kind in sorted({type(fault).__name__ for fault in _unplayable(scenario)}):
        yield f"the fault {kind}"
    for fault in scenario.faults:
        if isinstance(fault, SlowLink) and fault.capacity and len(fault.pairs) > 1:
            yield "a speed that several links share"
    if FIRST in scenario.late:
        yield f"node {FIRST} joining late, since all others find the network through it"
    if scenario.workload.jobs and not JOB_FILE.is_file():
        yield "jobs, since the installed package has no examples"
    for part in (scenario, scenario.conditions, scenario.workload):
        yield from _unknown(part)


def _unplayable(scenario: Scenario) -> list[Fault]:
    return [fault for fault in scenario.faults if not isinstance(fault, _PLAYABLE)]


def _unknown(value: object) -> Iterator[str]:
    """Name what was set and would be left out in silence."""
    for field in fields(value):  # type: ignore[arg-type]  # always a dataclass
        if field.name not in _KNOWN and getattr(value, field.name) != _default(field):
            yield f"{field.name} of {type(value).__name__}"


def _default(field: "Field[object]") -> object:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _notes(scenario: Scenario, terms: Parameters) -> Iterator[str]:
    asked, used = scenario.parameters.minimum_round_ms, terms.minimum_round_ms
    if asked != used:
        yield f"a round lasts {used} ms instead of {asked} ms, for this machine's sake"
    if scenario.workload.jobs:
        yield "every job is the example that estimates pi, with the drawn replicas and trust"
    if scenario.conditions.loss_ppm or any(isinstance(one, LossBurst) for one in scenario.faults):
        yield "a lost packet is sent again by TCP, so that messages come late and none vanishes"
    if any(isinstance(one, Clog) for one in scenario.faults):
        yield "a clogged link is cut, and its connection ends when it is silent for too long"
    if any(isinstance(one, StoreFailure) for one in scenario.faults):
        yield "a store that fails refuses above the database, which is not asked"
    if any(isinstance(one, StaleDisk) for one in scenario.faults):
        yield "an old disk is an old journal; the other files of the node stay as they are"
    if any(scenario.skews_ns) or any(isinstance(one, ClockJump) for one in scenario.faults):
        yield "what a node says whose clock may be off is timed by its arrival"
    if scenario.sync_ns:
        yield "writes take what this machine's disk takes"


def _lasting(conditions: Conditions, pair: Pair, more_loss_ppm: int) -> LinkRule:
    """What a link is like while no other fault changes it."""
    delay = dict(conditions.slow).get(pair, conditions.delay)
    spread_ms = (delay.high_ns - delay.low_ns) / MILLISECOND
    loss_ppm = conditions.loss_ppm + dict(conditions.lossy).get(pair, 0) + more_loss_ppm
    narrow = dict(conditions.narrow).get(pair)
    return LinkRule(
        delay_ms=(delay.low_ns + conditions.base_ns(pair)) / MILLISECOND,
        jitter_ms=spread_ms if delay.law is Law.UNIFORM else 0,
        tail_ms=spread_ms if delay.law is Law.LONG_TAILED else 0,
        loss=min(MILLION, loss_ppm) / MILLION,
        rate_bps=narrow.rate_bps if narrow is not None else 0,
    )


def _slower(rule: LinkRule, fault: SlowLink) -> LinkRule:
    rates = [rule.rate_bps, fault.capacity.rate_bps if fault.capacity is not None else 0]
    return replace(
        rule,
        delay_ms=rule.delay_ms + fault.extra_ns / MILLISECOND,
        rate_bps=min((rate for rate in rates if rate), default=0),
    )


def _all_pairs(nodes: int) -> list[Pair]:
    return [(a, b) for a in range(nodes) for b in range(nodes) if a != b]
