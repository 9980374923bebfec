"""Chooses what lies between the nodes of a real network, and makes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from p2pnode.lab.links import Links
from p2pnode.lab.processes import ProcessId
from p2pnode.lab.real.bridge import BridgeWires
from p2pnode.lab.real.namespaces import (
    TUN_DEVICE,
    Hosts,
    make_hosts,
    remove_hosts,
    remove_stale,
    why_impossible,
)
from p2pnode.lab.real.netem import NetemWires, why_no_netem
from p2pnode.lab.real.shape import Shape, has_long_tails, needs_a_switch
from p2pnode.lab.real.switch import SwitchWires
from p2pnode.lab.real.wires import ShaperWires, Wires
from p2pnode.lab.testnet import LabError, LabNetwork


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen.

    Attributes:
        links: Namespaces or the shaper.
        wires: Which of the four it comes to.
        reason: Why, for people.
    """

    links: Links
    wires: str
    reason: str


def choose(asked: Links, shape: Shape) -> Choice:
    """Choose namespaces where they can be had, unless somebody asks for the shaper.

    Raises:
        LabError: Namespaces were asked for and cannot be made.
    """
    if asked is Links.SHAPER:
        return Choice(Links.SHAPER, "shaper", "asked for")
    missing = why_impossible()
    if missing is None:
        wires, reason = _wires_for(shape)
        if wires != "switch" or TUN_DEVICE.exists():
            return Choice(Links.NAMESPACES, wires, reason)
        missing = f"needs {TUN_DEVICE} for links that delay ({reason})"
    if asked is Links.NAMESPACES:
        raise LabError(f"no namespaces here: {missing}; choose --links shaper")
    return Choice(Links.SHAPER, "shaper", f"namespaces: {missing}")


def _wires_for(shape: Shape) -> tuple[str, str]:
    """What joins namespaces, and why: whatever the kernel can do, it does."""
    if not needs_a_switch(shape.scenario):
        return "bridge", "the rights and tools are here"
    if has_long_tails(shape.scenario):
        return "switch", "the kernel's netem has no long-tailed delays"
    lacking = why_no_netem()
    return ("netem", "the kernel has netem") if lacking is None else ("switch", lacking)


@contextmanager
def hosts_for(choice: Choice, owner: ProcessId, nodes: int) -> Iterator[Hosts | None]:
    """Have namespaces for the length of a block, and clear away what dead owners left."""
    if choice.links is Links.SHAPER:
        yield None
        return
    remove_stale()
    try:
        yield make_hosts(owner, nodes)
    finally:
        remove_hosts(owner)


def make_wires(choice: Choice, hosts: Hosts | None, testnet: LabNetwork, folder: Path) -> Wires:
    """Make what was chosen."""
    if hosts is None:
        return ShaperWires(testnet)
    if choice.wires == "switch":
        return SwitchWires(hosts, folder)
    return NetemWires(hosts) if choice.wires == "netem" else BridgeWires(hosts)
