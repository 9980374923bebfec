"""Faults by the name that people know them by, and generators that repeat one.

What is here comes down to a few kinds of fault: an isolated node is a partition, flapping a row of
cuts, a slow node a set of slow links. All times are nanoseconds since genesis, and a generator's
faults all end by its own end.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from protocol.simulator.chance import Stream
from protocol.simulator.cuts import (
    beside_majorities,
    between,
    between_groups,
    links_into,
    links_of,
    links_out_of,
)
from protocol.simulator.queue import Capacity
from protocol.simulator.scenario import Clog, Cut, Fault, Partition, SlowLink

Groups = tuple[tuple[int, ...], ...]
Span = tuple[int, int]
"""Start and end of a fault."""
Made = TypeVar("Made", bound=Fault)


# Partitions


def in_sizes(order: Sequence[int], *sizes: int) -> Groups:
    """Splits nodes into groups of these sizes, and one of those that are left."""
    groups, first = [], 0
    for size in sizes:
        groups.append(tuple(order[first : first + size]))
        first += size
    return tuple(group for group in (*groups, tuple(order[first:])) if group)


def isolated(span: Span, node: int, nodes: int) -> Partition:
    """Cuts one node off from all others."""
    return Partition(*span, ((node,), tuple(other for other in range(nodes) if other != node)))


def minority(span: Span, order: Sequence[int]) -> Partition:
    """Splits nodes into two groups, of which the first is the smaller by one or two."""
    return Partition(*span, in_sizes(order, (len(order) - 1) // 2))


def three_ways(span: Span, order: Sequence[int]) -> Partition:
    """Splits nodes into three groups; the last has what does not divide."""
    third = max(1, len(order) // 3)
    return Partition(*span, in_sizes(order, third, third))


def shattered(span: Span, nodes: int) -> Partition:
    """Cuts every node off from every other."""
    return Partition(*span, tuple((node,) for node in range(nodes)))


def bipartition(span: Span, stream: Stream, nodes: int) -> Partition:
    """Draws a side for each node by itself; one side may be empty, and then nothing is cut."""
    sides: tuple[list[int], list[int]] = ([], [])
    for node in range(nodes):
        sides[stream.below(2)].append(node)
    return Partition(*span, tuple(tuple(side) for side in sides if side))


# Cuts that are no partitions


def partial_cut(span: Span, first: int, second: int) -> Cut:
    """Cuts two nodes off from each other, while all others see both."""
    return Cut(*span, between(first, second))


def bridge(span: Span, left: Sequence[int], right: Sequence[int]) -> Cut:
    """Cuts two groups off from each other, while nodes in neither see all."""
    return Cut(*span, between_groups((left, right)))


def majorities_ring(span: Span, nodes: int) -> Cut:
    """Leaves each node the links to a majority, and no two nodes the same one."""
    return Cut(*span, beside_majorities(nodes))


def deaf(span: Span, node: int, nodes: int) -> Cut:
    """Lets a node speak and not hear."""
    return Cut(*span, links_into(node, nodes))


def mute(span: Span, node: int, nodes: int) -> Cut:
    """Lets a node hear and not speak."""
    return Cut(*span, links_out_of(node, nodes))


# Slow and clogged nodes


def slow_node(
    span: Span, node: int, nodes: int, extra_ns: int, capacity: Capacity | None
) -> tuple[SlowLink, SlowLink]:
    """Slows down what a node sends, and as much what it hears, each with a speed of its own."""
    return (
        SlowLink(*span, links_out_of(node, nodes), extra_ns, capacity),
        SlowLink(*span, links_into(node, nodes), extra_ns, capacity),
    )


def swizzle(span: Span, stream: Stream, nodes: int) -> tuple[Clog, ...]:
    """Clogs all nodes one after the other, and frees them in another order.

    A tenth of the time at least lies between the last that is clogged and the first that is freed.
    """
    start_ns, end_ns = span
    step_ns = (end_ns - start_ns) * 9 // (20 * nodes)
    first, last = stream.shuffled(range(nodes)), stream.shuffled(range(nodes))
    return tuple(
        Clog(
            start_ns + first.index(node) * step_ns,
            end_ns - last.index(node) * step_ns,
            links_of(node, nodes),
        )
        for node in range(nodes)
    )


# Generators


def every(span: Span, period_ns: int, length_ns: int, make: Callable[[Span], Made]) -> list[Made]:
    """Repeats a fault of one length at equal intervals, the first at once."""
    start_ns, end_ns = span
    return [
        make((time, time + length_ns))
        for time in range(start_ns, end_ns - length_ns + 1, period_ns)
    ]


def flapping(span: Span, period_ns: int, make: Callable[[Span], Made]) -> list[Made]:
    """Lets a fault come and go: there for half of each period, and gone for the rest."""
    return every(span, period_ns, period_ns // 2, make)


def poisson(
    span: Span, stream: Stream, mean_ns: int, length_ns: int, make: Callable[[Span], Made]
) -> list[Made]:
    """Repeats a fault of one length after exponential gaps, counted from the end of the last."""
    time, end_ns = span
    found: list[Made] = []
    while True:
        time += stream.long_tailed(mean_ns)
        if time + length_ns > end_ns:
            return found
        found.append(make((time, time + length_ns)))
        time += length_ns
