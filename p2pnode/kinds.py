"""The kinds of task that this installation knows: its own, and those of packages beside it.

A package offers a kind as an entry point of the group `p2pnode.kinds`, named like the kind, whose
value is a module with the functions of `p2pnode.execution.worker.Kind`. Only names are read here:
the module is imported by worker processes alone.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata

GROUP = "p2pnode.kinds"
"""Where packages say what they offer."""

OWN = {
    "wasm": "p2pnode.execution.kind_wasm",
    "onnx": "p2pnode.execution.kind_onnx",
    "wgsl": "p2pnode.execution.kind_wgsl",
    "builtin": "p2pnode.execution.kind_builtin",
}
"""Where the kinds of this package are implemented; no other package can replace one."""

NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
"""How a kind is called: short and plain, as it is part of every offer."""


class UnknownKindError(ValueError):
    """No installed package offers this kind; the text says which kinds there are."""


def known() -> tuple[str, ...]:
    """Name the kinds that this installation knows, its own first."""
    return tuple(_places())


def place_of(kind: str) -> str:
    """Name the module that implements a kind.

    Raises:
        UnknownKindError: if nothing here implements it.
    """
    if kind in OWN:  # without a look at all installed packages, which takes a worker's time
        return OWN[kind]
    place = _places().get(kind)
    if place is None:
        raise UnknownKindError(f"{kind!r} is not one of {', '.join(known())}")
    return place


def gather(offered: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Join the own kinds with what packages offer, as pairs of a kind and its module.

    What would replace an own kind, what two packages offer differently, and what is no name for a
    kind is left out: which package was installed first must not decide what runs.
    """
    places = dict(OWN)
    disputed: set[str] = set()
    for kind, place in sorted(offered):
        if kind in OWN or NAME.fullmatch(kind) is None or places.get(kind, place) != place:
            disputed.add(kind)
        else:
            places[kind] = place
    return {kind: place for kind, place in places.items() if kind in OWN or kind not in disputed}


@cache
def _places() -> Mapping[str, str]:
    return gather((entry.name, entry.value) for entry in metadata.entry_points(group=GROUP))
