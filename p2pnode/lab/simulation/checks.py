"""What a scenario cannot mean, found before anything runs, and what it probably does not mean."""

import operator
from collections.abc import Iterator
from itertools import combinations
from typing import Final, get_type_hints

from p2pnode.lab.simulation.groups import Groups
from p2pnode.lab.simulation.scenario_file import Described
from p2pnode.lab.simulation.schema import Misread, key_of, kind_of
from p2pnode.lab.simulation.size import check_size
from p2pnode.lab.simulation.targets import BY_NODE, BY_PAIR, nodes_of
from p2pnode.lab.simulation.units import TIME, write_quantity
from protocol.endowment import SUPPLY_MAX
from protocol.simulator.network import Law
from protocol.simulator.overlay.parameters import Strategy
from protocol.simulator.run import Verdict
from protocol.simulator.scenario import (
    FUNDS,
    START_NS,
    Behaviour,
    Crash,
    Fault,
    Join,
    Partition,
    Pause,
    Scenario,
    StaleDisk,
    TornWrite,
    Workload,
)
from protocol.units import CREDIT

STOPPING: Final = (Crash, Pause, TornWrite, StaleDisk, Join)
"""Faults during which a node does not run; of the last one, only the end counts."""


def check(described: Described) -> None:
    """Refuse a scenario that cannot mean anything.

    Raises:
        Misread: With the place of what is wrong.
    """
    scenario = described.scenario
    _check_nodes(scenario)
    _check_links(scenario)
    _check_overlay(scenario)
    _check_times(scenario)
    check_size(scenario)
    places = described.places or tuple(range(len(scenario.faults)))
    for place, fault in zip(places, scenario.faults, strict=True):
        _check_fault(fault, scenario, ("fault", str(place)))
    if not described.overlaps:
        for (_, first), (place, second) in combinations(
            zip(places, scenario.faults, strict=True), 2
        ):
            if (sentence := _contradiction(first, second)) is not None:
                raise Misread(("fault", str(place)), f"{sentence}; 'overlaps = true' allows it")


def check_runnable(scenario: Scenario) -> None:
    """Refuse what nobody can run; all else may be odd and still have been run from Python.

    Raises:
        Misread: The supply is exceeded, or a node is named that is not there.
    """
    _check_supply(scenario)
    for node in (*scenario.twins, *(node for node, _ in scenario.behaviours)):
        _check_node(node, scenario.originals, ("nodes",))
    for place, fault in enumerate(scenario.faults):
        for node in nodes_of(fault):
            _check_node(node, scenario.nodes, ("fault", str(place)))


def warnings(described: Described) -> Iterator[str]:
    """Say what is allowed and still looks like a mistake."""
    scenario = described.scenario
    if not is_sound(scenario) and described.expectation.outcome is Verdict.PASS:
        percent = 100 * _dishonest_stake(scenario) // sum(scenario.stakes)
        yield (
            f"{percent} % of the stake is dishonest, and no promise holds from a third "
            "on: say in [expect] which outcome is expected"
        )


def is_sound(scenario: Scenario) -> bool:
    """Whether less than a third of the stake is dishonest, as all promises assume."""
    return 3 * _dishonest_stake(scenario) < sum(scenario.stakes)


def _dishonest_stake(scenario: Scenario) -> int:
    honest = [scenario.stakes[node] for node in scenario.honest if node < len(scenario.stakes)]
    return sum(scenario.stakes) - sum(honest)


def _check_nodes(scenario: Scenario) -> None:
    members, originals = len(scenario.stakes), scenario.originals
    _check_supply(scenario)
    for node in scenario.twins:
        _check_node(node, originals, ("nodes", "twins"))
    if len(set(scenario.twins)) != len(scenario.twins):
        raise Misread(("nodes", "twins"), "a node has one twin at most")
    if len(scenario.skews_ns) > scenario.nodes:
        raise Misread(("nodes", "skews"), f"there are {scenario.nodes} nodes only")
    if min(scenario.skews_ns, default=0) < -START_NS:
        most = write_quantity(START_NS, TIME)
        raise Misread(("nodes", "skews"), f"clocks lag by {most} at most: so late all start")
    seen: set[int] = set()
    for node, behaviour in scenario.behaviours:
        _check_node(node, originals, ("behaviour",))
        if node in seen:
            raise Misread(("behaviour",), f"node {node} behaves in two ways")
        if behaviour is Behaviour.HONEST:
            raise Misread(("behaviour",), f"node {node} is honest without being named")
        seen.add(node)
    if not scenario.honest:
        raise Misread(("nodes",), f"none of {members} members and {originals} nodes is honest")


def _check_supply(scenario: Scenario) -> None:
    given = (sum(scenario.stakes) * CREDIT + scenario.originals * FUNDS) // CREDIT
    if given > SUPPLY_MAX // CREDIT:
        raise Misread(
            ("nodes", "stakes"),
            f"stakes and {FUNDS // CREDIT} credits for each node come to {given} credits, and a "
            f"network has {SUPPLY_MAX // CREDIT} at most",
        )


def _check_links(scenario: Scenario) -> None:
    conditions = scenario.conditions
    for delay in (conditions.delay, *(delay for _, delay in conditions.slow)):
        if delay.law is not Law.CONSTANT and delay.low_ns > delay.high_ns:
            raise Misread(("links", "delay"), "'low' is above 'high'")
    if conditions.reorder_ppm and not conditions.reorder_ns:
        raise Misread(("links", "reorder"), "say with 'reorder_longest' how long is the longest")
    _check_regions(scenario)
    for name in (*BY_PAIR, *BY_NODE):
        for key, _ in getattr(conditions, name, ()):
            for node in key if isinstance(key, tuple) else (key,):
                _check_node(node, scenario.nodes, ("links", name))


def _check_regions(scenario: Scenario) -> None:
    regions, delays = scenario.conditions.regions, scenario.conditions.region_delays_ns
    if len(regions) > scenario.nodes:
        raise Misread(("links", "regions"), f"there are {scenario.nodes} nodes only")
    if regions and not delays:
        raise Misread(("links", "regions"), "without 'region_delays', regions change nothing")
    if any(len(row) != len(delays) for row in delays):
        raise Misread(("links", "region_delays"), "expected as many columns as rows")
    if delays and max(regions, default=0) >= len(delays):
        raise Misread(("links", "regions"), f"{len(delays)} regions have delays; they count from 0")


def _check_overlay(scenario: Scenario) -> None:
    overlay = scenario.overlay
    if overlay is None:
        return
    if overlay.strategy is Strategy.PUSH:
        raise Misread(("overlay", "strategy"), "rumours are an experiment: they carry no ledger")
    mesh = overlay.mesh
    if not mesh.low <= mesh.degree <= mesh.high:
        raise Misread(("overlay", "mesh"), "'degree' is not between 'low' and 'high'")
    if mesh.window > mesh.history:
        raise Misread(("overlay", "mesh"), "'window' is longer than 'history': names without texts")


def _check_times(scenario: Scenario) -> None:
    if scenario.safety_ns <= START_NS:
        most = write_quantity(START_NS, TIME)
        raise Misread(("stop", "safety"), f"nodes start at {most}: nothing could happen before")
    for name, hint in get_type_hints(Workload).items():
        if hint == tuple[int, int] and operator.gt(*getattr(scenario.workload, name)):
            raise Misread(("workload", key_of(Workload, name)), "the least is above the most")
    if START_NS + scenario.workload.span_ns > scenario.safety_ns:
        raise Misread(
            ("workload", "span"),
            f"requests, from {write_quantity(START_NS, TIME)} on, would still come after "
            f"'stop.safety', {write_quantity(scenario.safety_ns, TIME)}",
        )


def _check_fault(fault: Fault, scenario: Scenario, path: tuple[str, ...]) -> None:
    start, end = (write_quantity(time, TIME) for time in (fault.start_ns, fault.end_ns))
    if fault.start_ns < 0:
        raise Misread(path, f"the fault begins at {start}, and a network's time at 0")
    if fault.end_ns <= fault.start_ns:
        raise Misread(path, f"the fault ends at {end}, not after its start at {start}")
    if fault.end_ns > scenario.safety_ns:
        stop = write_quantity(scenario.safety_ns, TIME)
        raise Misread(path, f"the fault ends at {end}, after 'stop.safety', {stop}")
    if fault.end_ns <= START_NS:
        begin = write_quantity(START_NS, TIME)
        raise Misread(path, f"the fault ends at {end}, before the nodes start at {begin}")
    for node in nodes_of(fault):
        _check_node(node, scenario.nodes, path)
    if isinstance(fault, StaleDisk) and fault.down_ns > fault.end_ns - fault.start_ns:
        raise Misread((*path, "down"), "the node would stop before its disk is copied")
    if isinstance(fault, Join):
        _check_join(fault, scenario, path)
    if isinstance(fault, Partition):
        _check_groups(fault.groups, scenario.nodes, (*path, "groups"))
    if any(source == target for source, target in getattr(fault, "pairs", ())):
        raise Misread((*path, "pairs"), "a node has no link to itself")


def _check_join(fault: Join, scenario: Scenario, path: tuple[str, ...]) -> None:
    if fault.start_ns > START_NS:
        begin = write_quantity(START_NS, TIME)
        raise Misread(path, f"a node that joins is not there when all start, at {begin}")
    if fault.node >= scenario.originals or fault.node in scenario.twins:
        raise Misread((*path, "node"), "a node that joins has no twin")
    if len(scenario.late) == scenario.nodes:
        raise Misread(path, "no node is there from the start")


def _check_groups(groups: Groups, nodes: int, path: tuple[str, ...]) -> None:
    named = [node for group in groups for node in group]
    twice = sorted({node for node in named if named.count(node) > 1})
    missing = sorted(set(range(nodes)) - set(named))
    if len(groups) < 2:
        raise Misread(path, "one group is no partition: name at least two")
    if twice:
        raise Misread(path, f"node {twice[0]} stands in two groups")
    if missing:
        raise Misread(path, f"node {missing[0]} stands in no group: groups divide all nodes")


def _check_node(node: int, count: int, path: tuple[str, ...]) -> None:
    if node >= count:
        raise Misread(path, f"there is no node {node}: the last one is {count - 1}")


def _contradiction(first: Fault, second: Fault) -> str | None:
    """Says why two faults cannot be at one time; None when they can, or are not."""
    kinds = f"{kind_of(type(first))!r} and {kind_of(type(second))!r}"
    shared = sorted(set(nodes_of(first)) & set(nodes_of(second)))
    are_stopping = isinstance(first, STOPPING) and isinstance(second, STOPPING)
    if are_stopping and shared and _overlap(_stop(first), _stop(second)):
        return f"{kinds} stop node {shared[0]} at one time"
    if not _overlap((first.start_ns, first.end_ns), (second.start_ns, second.end_ns)):
        return None
    if isinstance(first, Partition) and isinstance(second, Partition):
        if _refines(first.groups, second.groups) or _refines(second.groups, first.groups):
            return None
        return "two partitions at one time, of which none divides the groups of the other"
    # Faults of links add up, link by link; one node or the whole network is in one state only.
    are_alike = type(first) is type(second) and not hasattr(first, "pairs")
    if are_alike and (shared or not nodes_of(first)):
        return f"two of {kind_of(type(first))!r} for the same at one time"
    return None


def _stop(fault: Fault) -> tuple[int, int]:
    if isinstance(fault, StaleDisk):
        return fault.end_ns - getattr(fault, "down_ns", 0), fault.end_ns
    return fault.start_ns, fault.end_ns


def _overlap(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two spans share more than a border."""
    return first[0] < second[1] and second[0] < first[1]


def _refines(fine: Groups, coarse: Groups) -> bool:
    return all(any(set(group) <= set(whole) for whole in coarse) for group in fine)
