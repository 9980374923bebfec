"""Namespaces joined by the kernel's own bridge: whole or cut, and nothing between."""

import json
from collections.abc import Mapping

from p2pnode.lab.real.namespaces import HUB, Hosts, batch, remove_hosts, run
from p2pnode.lab.real.wires import Rules, WireCounts

TABLE = """
table bridge laboratory {
  set cuts { type ipv4_addr . ipv4_addr; }
  chain forward {
    type filter hook forward priority 0;
  }
}
"""


class BridgeWires:
    """One bridge, and a set of directed pairs that it forwards nothing for."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._hub = ["ip", "netns", "exec", hosts.name(HUB)]
        run([*self._hub, "nft", "-f", "-"], TABLE + "".join(map(self._counter, range(hosts.nodes))))
        for node in range(hosts.nodes):
            batch([f"addr add {hosts.address(node)}/24 dev eth0"], hosts.name(node))

    def apply(self, rules: Rules) -> None:
        """Replace the set at once."""
        address = self._hosts.address
        pairs = [f"{address(a)} . {address(b)}" for (a, b), rule in rules.items() if rule.mute]
        lines = ["flush set bridge laboratory cuts"]
        if pairs:
            lines.append(f"add element bridge laboratory cuts {{ {', '.join(pairs)} }}")
        run([*self._hub, "nft", "-f", "-"], "\n".join(lines))

    def counts(self) -> Mapping[int, WireCounts]:
        """Packets that met the set, by the node that sent them."""
        document = json.loads(run([*self._hub, "nft", "-j", "list", "counters"]))
        rows = [row["counter"] for row in document["nftables"] if "counter" in row]
        return {int(row["name"].removeprefix("cut")): WireCounts(row["packets"]) for row in rows}

    def close(self) -> None:
        """Remove the namespaces."""
        remove_hosts(self._hosts.owner)

    def _counter(self, node: int) -> str:
        """Drop and count what a node sends against the set."""
        rule = f"ip saddr {self._hosts.address(node)} ip saddr . ip daddr @cuts"
        return (
            f"add counter bridge laboratory cut{node}\n"
            f"add rule bridge laboratory forward {rule} counter name cut{node} drop\n"
        )
