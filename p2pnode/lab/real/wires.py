"""What lies between the nodes of a real network, as its faults see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from p2pnode.lab.link_file import LINKS_NAME, write_rules
from p2pnode.lab.readiness import metrics_of
from p2pnode.lab.testnet import LabNetwork, load
from p2pnode.network import LinkRule
from protocol.simulator.network import Pair

Rules = Mapping[Pair, LinkRule]
"""For each directed pair of nodes that is not whole; what is missing is whole."""


@dataclass(frozen=True, slots=True)
class WireCounts:
    """What met a fault since the wires exist.

    Attributes:
        cut: Writes, packets or dials that met a cut.
        lost: Packets that were lost.
    """

    cut: int = 0
    lost: int = 0


class Wires(Protocol):
    """One way to connect processes and to disturb them."""

    def apply(self, rules: Rules) -> None:
        """Put these rules in place of all earlier ones."""

    def counts(self) -> Mapping[int, WireCounts]:
        """Count by the node that sent; a node's count may start again at zero."""

    def close(self) -> None:
        """Take the wires away, after the nodes."""


class ShaperWires:
    """The shapers inside the nodes, told by a file each."""

    def __init__(self, testnet: LabNetwork) -> None:
        self._folder = testnet.folder
        self._members = testnet.members

    def apply(self, rules: Rules) -> None:
        """Write each node's own rules."""
        for member in self._members:
            own = {
                self._members[target].peer_id: _both_ways(rules, (source, target))
                for source, target in rules
                if source == member.node
            }
            write_rules(member.data_dir / LINKS_NAME, own)

    def counts(self) -> Mapping[int, WireCounts]:
        """Ask the nodes that answer."""
        found = {}
        # Which processes run is on the disk, and changes with every restart.
        for member in load(self._folder).members:
            metrics = metrics_of(member)
            if metrics is not None:
                found[member.node] = WireCounts(
                    int(metrics.get("network_faults_cut_total", 0)),
                    int(metrics.get("network_faults_lost_total", 0)),
                )
        return found

    def close(self) -> None:
        """Leave the files, which nobody reads any more."""


def newly_counted(
    before: Mapping[int, WireCounts], after: Mapping[int, WireCounts]
) -> dict[int, WireCounts]:
    """Say what was counted meanwhile, by node; one that started again counts from zero."""
    found = {}
    for node, now in after.items():
        then = before.get(node, WireCounts())
        if now.cut < then.cut or now.lost < then.lost:
            then = WireCounts()
        found[node] = WireCounts(now.cut - then.cut, now.lost - then.lost)
    return found


def _both_ways(rules: Rules, pair: Pair) -> LinkRule:
    """A pair that is mute in both directions is cut, so that neither end reads on."""
    rule, back = rules[pair], rules.get((pair[1], pair[0]))
    if rule.mute and back is not None and back.mute:
        return LinkRule(cut=True)
    return rule
