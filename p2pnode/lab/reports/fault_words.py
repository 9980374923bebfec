"""Faults and dishonesty in words: what was wrong, for whom, and what the measure counts."""

from collections.abc import Mapping, Sequence
from typing import Final

from p2pnode.lab.results.reading import Fault

LINKS_NAMED: Final = 6
"""More directed links than this are counted and not named."""

HAPPENED: Final[Mapping[str, str]] = {
    "SlowLink": "links between {nodes} were slower than usual",
    "Clog": "links between {nodes} held everything back",
    "LossBurst": "all links lost more than usual",
    "DuplicateBurst": "all links delivered more twice than usual",
    "ReorderBurst": "all links let later messages overtake more earlier ones than usual",
    "Crash": "{nodes} was down, without what it had not made durable",
    "Pause": "{nodes} stood still",
    "ClockJump": "the clock of {nodes} was off",
    "StoreFailure": "{nodes} could make nothing durable",
    "TornWrite": "{nodes} lost its power in its next write and was down",
    "StaleDisk": "{nodes} went on, and was then set back to its disk as it had been",
    "Join": "{nodes} was not there yet, and joined with an empty disk at the end",
    "twins": "{nodes} ran with the same keys",
    "sybil": "{nodes} was one of the keys among which an owner splits a stake",
    "skew": "clocks were off",
    "loss": "links lost messages",
    "duplication": "links delivered messages twice",
    "reordering": "links let later messages overtake earlier ones",
}
"""By the kind of a fault; dishonesty has its own word, and parted networks and links theirs."""
COUNTED: Final[Mapping[str, str]] = {
    "Partition": "messages met the cut",
    "Cut": "messages met the cut",
    "SlowLink": "messages over slow links",
    "Clog": "messages held back",
    "LossBurst": "messages lost",
    "DuplicateBurst": "messages doubled",
    "ReorderBurst": "messages held back",
    "Crash": "crash",
    "Pause": "events waited",
    "ClockJump": "jump",
    "StoreFailure": "effects waited",
    "TornWrite": "records in the torn write",
    "StaleDisk": "blocks of its own forgotten",
    "Join": "commits made before it came",
    "twins": "rounds signed by both",
    "skew": "blocks signed by the wrong clock",
    "loss": "messages lost",
    "duplication": "messages doubled",
    "reordering": "messages overtaken",
}
"""What the measure of a simulated fault counts; dishonesty counts times."""


def happened(fault: Fault) -> str:
    """Tells what was wrong, as the middle of a sentence."""
    if fault.sides:
        parted = " | ".join(", ".join(map(str, side)) for side in fault.sides)
        return f"the network was split into {parted}"
    if fault.cut_links:
        few = f" ({links_text(fault)})" if len(fault.cut_links) <= LINKS_NAMED else ""
        return f"nothing passed over {counted(len(fault.cut_links), 'directed link')}{few}"
    nodes = nodes_text(fault.nodes)
    if fault.kind in HAPPENED:
        return HAPPENED[fault.kind].format(nodes=nodes)
    return f"{nodes} was {fault.kind}" if fault.nodes else f"{fault.kind} on all links"


def whom_text(fault: Fault) -> str:
    """Names the sides, links or nodes of a fault for a table."""
    sides = " | ".join(", ".join(map(str, side)) for side in fault.sides)
    links = links_text(fault) if fault.cut_links else ""
    nodes = ", ".join(map(str, fault.nodes))
    return sides or links or nodes or ("some nodes" if fault.kind == "skew" else "all links")


def measure_text(fault: Fault) -> str:
    """Says what a simulated fault did, in its own measure."""
    if not fault.count:
        return "none"
    what = COUNTED.get(fault.kind, "times")
    if fault.count == 1:
        first, _, rest = what.partition(" ")
        what = f"{first.removesuffix('s')} {rest}".rstrip()
    return f"{fault.count:,} {what}"


def links_text(fault: Fault) -> str:
    """Names directed links."""
    return ", ".join(f"{source} > {target}" for source, target in fault.cut_links)


def nodes_text(nodes: Sequence[int]) -> str:
    """Names nodes."""
    named = ", ".join(map(str, nodes))
    return f"node {named}" if len(nodes) == 1 else f"nodes {named}"


def counted(number: int, thing: str) -> str:
    """Writes a number of things."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
