"""Network namespaces, one for each node and one that joins them: a host each, on one machine.

Their names hold the process that owns them, so whatever a crash leaves behind is found and removed.
Nodes talk to each other by one address and to whoever watches them by another, which no fault ever
touches: a fault of the network is not one of its observer.
"""

import ipaddress
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from p2pnode.lab.processes import Life, ProcessId, identify, life_of, parse_process
from p2pnode.lab.testnet import LabError

PREFIX = "p2pnode-"
HUB = "hub"
TOOLS = ("ip", "nft")
TUN_DEVICE = Path("/dev/net/tun")
COMMAND_SECONDS = 20.0
BLOCKS = range(200, 255)
"""Second numbers of the private networks 10.N.0.0/16 that are tried."""
NODES_MAX = 200
"""As many addresses as one /24 has, with room for the watcher's."""
WATCHER = 254


@dataclass(frozen=True, slots=True)
class Hosts:
    """The namespaces of one network.

    Attributes:
        owner: The process that they live with.
        nodes: How many there are, besides the hub.
        block: Which of the private networks they use.
    """

    owner: ProcessId
    nodes: int
    block: int

    def name(self, part: int | str) -> str:
        """The namespace of a node, or the hub's."""
        return f"{PREFIX}{self.owner.pid}-{self.owner.started}-{part}"

    def address(self, node: int) -> str:
        """Where other nodes reach a node."""
        return f"10.{self.block}.0.{node + 1}"

    def watched_address(self, node: int) -> str:
        """Where this machine reaches a node's interface for programs."""
        return f"10.{self.block}.1.{node + 1}"


def why_impossible() -> str | None:
    """Say what is missing for namespaces here; None when they can be made."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"needs {missing[0]}"
    name = f"{PREFIX}{identify(os.getpid())}-trial".replace(":", "-")
    try:
        run(["ip", "netns", "add", name])
        run(["ip", "netns", "exec", name, "nft", "add", "table", "bridge", "trial"])
    except LabError as error:
        return f"needs the right to make network namespaces: {error}"
    finally:
        with suppress(LabError):
            remove([name])
    return None


def make_hosts(owner: ProcessId, nodes: int) -> Hosts:
    """Make a network's namespaces, each with the address that its watcher uses.

    Raises:
        LabError: A command failed, or there are too many nodes; nothing is left then.
    """
    if nodes > NODES_MAX:
        raise LabError(f"namespaces take at most {NODES_MAX} nodes: choose --links shaper")
    hosts = Hosts(owner, nodes, _free_block())
    try:
        _make(hosts)
    except LabError:
        remove_hosts(owner)
        raise
    return hosts


def remove_hosts(owner: ProcessId) -> None:
    """Remove all namespaces of an owner; devices and rules inside go with them."""
    # The kernel takes a namespace's devices away a while later; this one is in everybody's sight.
    with suppress(LabError):
        run(["ip", "link", "delete", _watcher(owner)])
    remove([name for name, process in _ours() if process == owner])


def remove_stale() -> list[str]:
    """Remove the namespaces whose owners are gone, and name them."""
    stale = [(name, process) for name, process in _ours() if life_of(process) is Life.GONE]
    for _, process in stale:
        remove_hosts(process)
    return [name for name, _ in stale]


def remove(names: Iterable[str]) -> None:
    """Remove namespaces by name, as many as can be."""
    for name in names:
        with suppress(LabError):
            run(["ip", "netns", "delete", name])


def run(command: Sequence[str], text: str = "") -> str:
    """Run a command of the system and return what it printed.

    Raises:
        LabError: It failed or took too long.
    """
    try:
        done = subprocess.run(  # noqa: S603  fixed programs of the system
            list(command),
            input=text,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(f"{' '.join(command[:4])}: {error}") from error
    if done.returncode:
        raise LabError(f"{' '.join(command[:4])}: {done.stderr.strip()[:300]}")
    return done.stdout


def batch(lines: Iterable[str], namespace: str | None = None) -> None:
    """Give many lines to one `ip`, in a namespace or in this one.

    Raises:
        LabError: One of them failed.
    """
    inside = ["-n", namespace] if namespace else []
    run(["ip", *inside, "-batch", "-"], "\n".join(lines) + "\n")


def _make(hosts: Hosts) -> None:
    hub, watcher = hosts.name(HUB), _watcher(hosts.owner)
    batch(f"netns add {hosts.name(part)}" for part in (HUB, *range(hosts.nodes)))
    batch([f"link add {watcher} type veth peer name watcher netns {hub}"])
    ports = [f"port{node}" for node in range(hosts.nodes)]
    lines = ["link add wire type bridge", "link set wire up"]
    for node, port in enumerate(ports):
        lines.append(f"link add {port} type veth peer name eth0 netns {hosts.name(node)}")
    for port in ("watcher", *ports):
        lines.append(f"link set {port} master wire up")
    batch(lines, hub)
    for node in range(hosts.nodes):
        address = f"addr add {hosts.watched_address(node)}/24 dev eth0"
        batch(["link set lo up", address, "link set eth0 up"], hosts.name(node))
    batch([f"addr add 10.{hosts.block}.1.{WATCHER}/24 dev {watcher}", f"link set {watcher} up"])


def _watcher(owner: ProcessId) -> str:
    """The one device in this machine's own network; the kernel takes 15 letters."""
    return f"p2pn{owner.pid}"


def _ours() -> list[tuple[str, ProcessId]]:
    found = []
    for row in run(["ip", "netns", "list"]).splitlines():
        name = row.partition(" ")[0]
        parts = name.removeprefix(PREFIX).split("-")
        if name.startswith(PREFIX) and len(parts) == 3:
            with suppress(ValueError):
                found.append((name, parse_process(f"{parts[0]}:{parts[1]}")))
    return found


def _free_block() -> int:
    """Choose a private network that this machine has no route to."""
    routes = json.loads(run(["ip", "-4", "-j", "route", "show", "table", "all"]) or "[]")
    stated = [route["dst"] for route in routes if route.get("dst", "default") != "default"]
    taken = [ipaddress.ip_network(text, strict=False) for text in stated]
    for block in BLOCKS:
        network = ipaddress.ip_network(f"10.{block}.0.0/16")
        if not any(network.overlaps(one) for one in taken):
            return block
    raise LabError("no private network is free here: choose --links shaper")
