"""The groups of commands that live elsewhere: each takes the rest of the line as it stands.

A group has its own parser and help; it is imported when its name is the first word.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Where a group of commands lives."""

    module: str
    """Has a function `main` that returns the exit code."""
    summary: str
    shares_module: bool = False
    """True where the module serves several groups and takes the group's name first."""


GROUPS: Mapping[str, Group] = {
    "testnet": Group("p2pnode.lab.commands", "run a network of real processes on this machine"),
    "sim": Group(
        "p2pnode.lab.simulation.commands", "run the protocol in virtual time, with faults"
    ),
    "ledger": Group("p2pnode.offline.commands", "export, audit or verify a ledger", True),
    "genesis": Group("p2pnode.offline.commands", "create or show a network's genesis", True),
    "keys": Group("p2pnode.offline.commands", "create, show or export a node's key", True),
    "sign": Group("p2pnode.offline.commands", "sign an operation without a network", True),
    "lottery": Group("p2pnode.offline.commands", "recompute a draw from its transcript", True),
}
"""Every group, by the word that calls it."""


def run_group(name: str, rest: Sequence[str]) -> int:
    """Hand the rest of the command line to a group."""
    group = GROUPS[name]
    main = importlib.import_module(group.module).main
    return int(main(name, list(rest)) if group.shares_module else main(list(rest)))
