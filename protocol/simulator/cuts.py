"""Sets of directed links by what they separate, for faults to cut, slow down or clog."""

from collections.abc import Iterable
from itertools import combinations

from protocol.simulator.network import Pair


def between_groups(groups: Iterable[Iterable[int]]) -> tuple[Pair, ...]:
    """Names the links that separate groups of nodes, in both directions.

    A node in no group keeps all its links: it is the bridge between the others.
    """
    sides = [tuple(group) for group in groups]
    return tuple(
        (source, target)
        for here, side in enumerate(sides)
        for there, other in enumerate(sides)
        if here != there
        for source in side
        for target in other
    )


def links_into(node: int, nodes: int) -> tuple[Pair, ...]:
    """Names the links by which a node hears: without them it is deaf."""
    return tuple((source, node) for source in range(nodes) if source != node)


def links_out_of(node: int, nodes: int) -> tuple[Pair, ...]:
    """Names the links by which a node speaks: without them it is mute."""
    return tuple((node, target) for target in range(nodes) if target != node)


def links_of(node: int, nodes: int) -> tuple[Pair, ...]:
    """Names all links of a node: without them it is alone."""
    return links_into(node, nodes) + links_out_of(node, nodes)


def between(first: int, second: int) -> tuple[Pair, ...]:
    """Names the links between two nodes: without them others see both, and they not each other."""
    return ((first, second), (second, first))


def beside_majorities(nodes: int) -> tuple[Pair, ...]:
    """Names the links whose loss leaves a ring in which each node sees another majority.

    Each keeps its links to as many neighbours on both sides as make more than half of all nodes
    together with itself.
    """
    reach = (nodes // 2 + 1) // 2
    return tuple(
        pair
        for one, other in combinations(range(nodes), 2)
        if min(other - one, one + nodes - other) > reach
        for pair in between(one, other)
    )
