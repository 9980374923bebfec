"""Short ways to say which nodes are apart: `"2/3"` for groups, `"* > 0"` for directed links."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from p2pnode.lab.simulation.units import SHARE, read_quantity
from protocol.simulator.network import Pair

Groups = tuple[tuple[int, ...], ...]

MILLION: Final = 1_000_000
ALL_MAX: Final = 1_000
"""Nodes whose links can all be named, which are as many as the square of it."""
GROUPS_EXPECTED: Final = (
    "expected groups of nodes, such as [[0, 1, 2], [3, 4]], or their sizes, such as '3/2', "
    "or the share of a minority, such as { minority = '40 %' }"
)
PAIRS_EXPECTED: Final = (
    "expected directed links, such as [[0, 1], [1, 0]], or '0 > 1', '0 <> 1' for both directions, "
    "'* > 0' for all that lead to a node"
)

_ARROW = re.compile(r"\s*(\d{1,9}|\*)\s*(<>|>)\s*(\d{1,9}|\*)\s*")


def read_groups(value: object, nodes: int) -> Groups:
    """Read groups of nodes.

    Raises:
        ValueError: They are not written so, or sizes do not add up to all nodes.
    """
    if isinstance(value, str):
        return _by_sizes(value, nodes)
    if isinstance(value, Mapping) and value.keys() == {"minority"}:
        share = read_quantity(value["minority"], SHARE)
        if not share:
            raise ValueError("a minority of nothing divides nothing: give it more than 0 %")
        count = share * nodes
        few = min(max(1, (count + MILLION // 2) // MILLION), nodes - 1)
        return _by_sizes(f"{nodes - few}/{few}", nodes)
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(GROUPS_EXPECTED)
    return tuple(_numbers(group, GROUPS_EXPECTED) for group in value)


def read_pairs(value: object, nodes: int) -> tuple[Pair, ...]:
    """Read directed links; each is named once.

    Raises:
        ValueError: They are not written so.
    """
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(PAIRS_EXPECTED)
    found: dict[Pair, None] = {}
    if any(one.count("*") > 1 for one in value if isinstance(one, str)) and nodes > ALL_MAX:
        raise ValueError(f"all links of more than {ALL_MAX} nodes are too many to name")
    for one in value:
        found.update(dict.fromkeys(_pairs(one, nodes)))
    return tuple(found)


def _by_sizes(text: str, nodes: int) -> Groups:
    parts = [part.strip() for part in text.split("/")]
    if len(parts) < 2 or not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise ValueError(GROUPS_EXPECTED)
    sizes = [int(part) for part in parts]
    if sum(sizes) != nodes or 0 in sizes:
        raise ValueError(f"sizes {text!r} do not divide the {nodes} nodes: together they are all")
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    return tuple(
        tuple(range(start, start + size)) for start, size in zip(starts, sizes, strict=True)
    )


def _pairs(value: object, nodes: int) -> Iterator[Pair]:
    if not isinstance(value, str):
        source, *rest = _numbers(value, PAIRS_EXPECTED)
        if len(rest) != 1:
            raise ValueError(PAIRS_EXPECTED)
        yield source, rest[0]
        return
    arrow = _ARROW.fullmatch(value)
    if arrow is None:
        raise ValueError(PAIRS_EXPECTED)
    if arrow[1] == arrow[3] != "*":
        raise ValueError(f"{value!r}: a node has no link to itself")
    for source in _side(arrow[1], nodes):
        for target in _side(arrow[3], nodes):
            if source != target:
                yield source, target
                yield from ((target, source),) if arrow[2] == "<>" else ()


def _side(text: str, nodes: int) -> Sequence[int]:
    return range(nodes) if text == "*" else (int(text),)


def _numbers(value: object, expected: str) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(expected)
    if not all(type(node) is int and node >= 0 for node in value):
        raise ValueError(expected)
    return tuple(value)
