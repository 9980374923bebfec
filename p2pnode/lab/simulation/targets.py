"""Which nodes a fault names, whatever its kind, and what is left of it in a network without one.

Faults and links name nodes in fields of a few names only; these functions know the names, not the
kinds.
"""

from dataclasses import fields, replace
from typing import Any, Final

from protocol.simulator.network import Conditions
from protocol.simulator.scenario import Fault

Nested = int | tuple["Nested", ...]
"""A number of a node, or tuples of them to any depth."""

NODE_FIELDS: Final = ("node", "nodes", "source", "target", "groups", "pairs")
"""Fields that hold numbers of nodes, in tuples or tuples of them."""

BY_PAIR: Final = ("slow", "lossy", "narrow")
"""Fields of links that say something of single directed links."""
BY_NODE: Final = ("uplinks",)
"""Fields of links that say something of single nodes."""
OF_EACH_NODE: Final = ("regions",)
"""Fields of links with one value for each node."""


def nodes_of(fault: Fault) -> tuple[int, ...]:
    """Name the nodes that a fault names, in order and once; none when it concerns all links."""
    found = [node for name in _names(fault) for node in _flat(getattr(fault, name))]
    return tuple(sorted(dict.fromkeys(found)))


def without_node(fault: Fault, node: int) -> Fault | None:
    """Make the same fault for a network that lacks a node; later ones move up by one.

    Returns:
        The fault; None when nothing is left of it.
    """
    changed: dict[str, Any] = {}
    for name in _names(fault):
        left = _without(getattr(fault, name), node, whole=name == "pairs")
        if left is None or (name == "groups" and _count(left) < 2):
            return None
        changed[name] = left
    return replace(fault, **changed)


def conditions_without(conditions: Conditions, node: int) -> Conditions:
    """Make the same links for a network that lacks a node."""
    changed: dict[str, Any] = {}
    for field in fields(conditions):
        value = getattr(conditions, field.name)
        if field.name in BY_PAIR:
            left = ((pair, one) for pair, one in value if node not in pair)
            changed[field.name] = tuple(
                ((moved(source, node), moved(target, node)), one) for (source, target), one in left
            )
        elif field.name in BY_NODE:
            left = ((other, one) for other, one in value if other != node)
            changed[field.name] = tuple((moved(other, node), one) for other, one in left)
        elif field.name in OF_EACH_NODE:
            changed[field.name] = value[:node] + value[node + 1 :]
    return replace(conditions, **changed)


def moved(node: int, gone: int) -> int:
    """Tell the number that a node has once another one is gone."""
    return node - (node > gone)


def _names(fault: Fault) -> list[str]:
    present = {field.name for field in fields(fault)}
    return [name for name in NODE_FIELDS if name in present]


def _flat(value: Nested) -> list[int]:
    return [value] if isinstance(value, int) else [node for part in value for node in _flat(part)]


def _without(value: Nested, node: int, *, whole: bool) -> Nested | None:
    """Takes a node out of nested tuples; a pair goes as a whole with either of its ends."""
    if isinstance(value, int):
        return None if value == node else moved(value, node)
    kept = [part for part in value if not (whole and node in _flat(part))]
    parts = [_without(part, node, whole=False) for part in kept]
    return tuple(part for part in parts if part is not None) or None


def _count(value: Nested) -> int:
    return 1 if isinstance(value, int) else len(value)
