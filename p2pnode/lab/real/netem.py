"""Namespaces joined by the kernel's bridge, whose links the kernel itself delays and loses.

Each node's own device has a class for each peer, and in it a queue of the kind `netem`. Cuts are
the bridge's, as without it. Long-tailed delays have no form here: the switch plays those.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress

from p2pnode.lab.processes import identify
from p2pnode.lab.real.bridge import BridgeWires
from p2pnode.lab.real.namespaces import PREFIX, Hosts, remove, run
from p2pnode.lab.real.wires import Rules, WireCounts
from p2pnode.lab.testnet import LabError
from p2pnode.network import LinkRule
from protocol.simulator.network import Pair

DEVICE = "eth0"
WHOLE = "netem limit 100000"
"""A queue that lets everything through at once."""
PACKETS_MAX = 100_000
PACKET_BYTES = 1_500
QUEUE_HANDLES = 0x100
"""Where the handles of queues begin, beyond that of the classes' own queue."""


def why_no_netem() -> str | None:
    """Say why the kernel's netem cannot be used here; None when it can."""
    if os.geteuid() != 0:
        return "netem needs root"
    if shutil.which("tc") is None:
        return "netem needs tc"
    name = f"{PREFIX}{identify(os.getpid())}-netem".replace(":", "-")
    try:
        run(["ip", "netns", "add", name])
        trial = ["qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
        run(["tc", "-n", name, *trial])
    except LabError as error:
        return f"no netem: {error}"
    finally:
        with suppress(LabError):
            remove([name])
    return None


class NetemWires:
    """A bridge for the cuts, and a queue for each directed pair that was ever shaped."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._bridge = BridgeWires(hosts)
        self._made: set[Pair] = set()
        for node in range(hosts.nodes):
            self._tell(node, [f"qdisc add dev {DEVICE} root handle 1: htb default 0"])

    def apply(self, rules: Rules) -> None:
        """Change the queues of all pairs, and then the cuts at once."""
        shaped = {pair: text for pair, rule in rules.items() if (text := queue_of(rule)) != WHOLE}
        for node in range(self._hosts.nodes):
            lines = list(lines_of(self._hosts, node, shaped, self._made))
            if lines:
                self._tell(node, lines)
        self._made |= shaped.keys()
        self._bridge.apply(rules)

    def counts(self) -> Mapping[int, WireCounts]:
        """Packets that met a cut, and those that a queue lost by chance or for want of room."""
        return {
            node: WireCounts(counted.cut, self._lost(node))
            for node, counted in self._bridge.counts().items()
        }

    def close(self) -> None:
        """Remove the namespaces, and the queues with them."""
        self._bridge.close()

    def _lost(self, node: int) -> int:
        command = ["tc", "-n", self._hosts.name(node), "-s", "-j", "qdisc", "show", "dev", DEVICE]
        queues = json.loads(run(command) or "[]")
        return sum(int(one["drops"]) for one in queues if one["kind"] == "netem")

    def _tell(self, node: int, lines: list[str]) -> None:
        run(["tc", "-n", self._hosts.name(node), "-batch", "-"], "\n".join(lines) + "\n")


def lines_of(
    hosts: Hosts, node: int, shaped: Mapping[Pair, str], made: AbstractSet[Pair]
) -> Iterator[str]:
    """What `tc` has to be told about the links of one node.

    Args:
        hosts: The namespaces.
        node: Whose links.
        shaped: The queue of each pair that is shaped from now on.
        made: Pairs that were shaped before, whose queues stay and let everything through.
    """
    for target in range(hosts.nodes):
        pair, place = (node, target), f"1:{target + 1:x}"
        if pair in shaped and pair not in made:
            chosen = f"u32 match ip dst {hosts.address(target)}/32 flowid {place}"
            yield f"class add dev {DEVICE} parent 1: classid {place} htb rate 10gbit quantum 60000"
            yield f"filter add dev {DEVICE} parent 1: protocol ip prio 1 {chosen}"
        if pair in shaped or pair in made:
            handle = f"{QUEUE_HANDLES + target:x}:"
            queue = shaped.get(pair, WHOLE)
            yield f"qdisc replace dev {DEVICE} parent {place} handle {handle} {queue}"


def queue_of(rule: LinkRule) -> str:
    """The queue that shapes a link as a rule says, but for cuts and long tails.

    A rate keeps packets in order, so a link whose delay varies has one that never matters.
    """
    words = [WHOLE]
    if rule.rate_bps:
        # One second's worth, as the switch holds, and never less than a burst needs.
        packets = max(10, min(PACKETS_MAX, rule.rate_bps // 8 // PACKET_BYTES))
        words = [f"netem limit {packets}"]
    if rule.delay_ms or rule.jitter_ms:
        half_us = round(rule.jitter_ms * 500)
        words.append(f"delay {round(rule.delay_ms * 1_000) + half_us}us")
        words += [f"{half_us}us"] if half_us else []
    if rule.loss:
        words.append(f"loss {100 * rule.loss:.4f}%")
    if rule.rate_bps or rule.jitter_ms:
        words.append(f"rate {rule.rate_bps or 10_000_000_000}bit")
    return " ".join(words)
