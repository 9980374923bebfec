"""The ways that gossip takes round links that carry nothing."""

from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """A shortest way from a source to a target.

    Attributes:
        relay: Who hands over on the last link.
        hops: The number of links.
        base_ns: What regions add on all links but the last.
    """

    relay: int
    hops: int
    base_ns: int


def routes_from(
    source: int,
    count: int,
    cuts: Container[tuple[int, int]],
    base_ns: Callable[[tuple[int, int]], int],
) -> dict[int, Route]:
    """Finds the shortest way to each node that can be reached.

    Args:
        source: Who sends.
        count: Number of nodes.
        cuts: Links that carry nothing.
        base_ns: What regions add to a link's delay.
    """
    routes = {source: Route(source, 0, 0)}
    queue = deque([source])
    while queue:
        relay = queue.popleft()
        way = routes[relay]
        so_far_ns = way.base_ns + (base_ns((way.relay, relay)) if way.hops else 0)
        for target in range(count):
            if target not in routes and (relay, target) not in cuts:
                routes[target] = Route(relay, way.hops + 1, so_far_ns)
                queue.append(target)
    return routes
