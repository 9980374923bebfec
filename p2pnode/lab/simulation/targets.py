"""Which nodes a fault names, whatever its kind, and the same fault in a network without one.

Faults name nodes in fields of a few names only; these functions know the names, not the kinds.
"""

from dataclasses import fields, replace
from typing import Any, Final

from protocol.simulator.scenario import Fault

NODE_FIELDS: Final = ("node", "nodes", "source", "target", "groups", "pairs")
"""Fields that hold numbers of nodes, in tuples or tuples of them."""


def nodes_of(fault: Fault) -> tuple[int, ...]:
    """Name the nodes that a fault names, in order and once; none when it concerns all links."""
    found = [node for name in _names(fault) for node in _flat(getattr(fault, name))]
    return tuple(sorted(dict.fromkeys(found)))


def without_node(fault: Any, node: int) -> Any:
    """Make the same fault for a network that lacks a node; later ones move up by one.

    Returns:
        The fault; None when nothing is left of it.
    """
    changed = {}
    for name in _names(fault):
        left = _without(getattr(fault, name), node, whole=name == "pairs")
        if left is None or left == () or (name == "groups" and len(left) < 2):
            return None
        changed[name] = left
    return replace(fault, **changed)


def moved(node: int, gone: int) -> int:
    """Tell the number that a node has once another one is gone."""
    return node - (node > gone)


def _names(fault: Any) -> list[str]:
    present = {field.name for field in fields(fault)}
    return [name for name in NODE_FIELDS if name in present]


def _flat(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else [node for part in value for node in _flat(part)]


def _without(value: Any, node: int, *, whole: bool) -> Any:
    """Takes a node out of nested tuples; a pair goes as a whole with either of its ends."""
    if isinstance(value, int):
        return None if value == node else moved(value, node)
    if whole:
        value = tuple(pair for pair in value if node not in pair)
    parts = [_without(part, node, whole=False) for part in value]
    return tuple(part for part in parts if part not in (None, ()))
