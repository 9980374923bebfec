"""Every fault and every dishonesty of the simulator has its words."""

import typing

from p2pnode.lab.reports.fault_words import (
    COUNTED,
    HAPPENED,
    happened,
    links_text,
    measure_text,
    whom_text,
)
from p2pnode.lab.results.reading import Fault
from protocol.simulator.scenario import Fault as Planned


def fault(kind: str, count: int = 1, **given: typing.Any) -> Fault:
    values = {"nodes": (), "sides": (), "cut_links": (), "begin_ms": 0.0, "end_ms": 1.0}
    return Fault(kind=kind, count=count, **(values | given))


def test_every_kind_of_fault_says_what_happened_and_what_is_counted() -> None:
    kinds = {one.__name__ for one in typing.get_args(Planned)}
    assert kinds - {"Partition", "Cut"} <= set(HAPPENED)
    assert kinds <= set(COUNTED)
    for kind in kinds - {"Partition", "Cut"}:
        assert kind not in happened(fault(kind, nodes=(3,)))


def test_sides_links_and_nodes_are_named() -> None:
    parted = fault("Partition", nodes=(0, 1, 2), sides=((0, 1), (2,)))
    assert happened(parted) == "the network was split into 0, 1 | 2"
    assert whom_text(parted) == "0, 1 | 2"
    deaf = fault("Cut", nodes=(0, 1, 2), cut_links=((1, 0), (2, 0)))
    assert happened(deaf) == "nothing passed over 2 directed links (1 > 0, 2 > 0)"
    assert whom_text(deaf) == links_text(deaf) == "1 > 0, 2 > 0"
    many = fault("Cut", cut_links=tuple((one, 0) for one in range(1, 9)))
    assert happened(many) == "nothing passed over 8 directed links"
    assert happened(fault("Pause", nodes=(2,))) == "node 2 stood still"
    assert happened(fault("Clog", nodes=(0, 1))) == "links between nodes 0, 1 held everything back"
    assert happened(fault("hiding", nodes=(2,))) == "node 2 was hiding"
    assert happened(fault("twins", nodes=(3, 5))) == "nodes 3, 5 ran with the same keys"
    assert whom_text(fault("LossBurst")) == "all links"


def test_what_a_fault_did_is_in_its_own_measure() -> None:
    told = [measure_text(fault("Cut", count)) for count in (0, 1, 2_000)]
    assert told == ["none", "1 message met the cut", "2,000 messages met the cut"]
    assert measure_text(fault("Crash")) == "1 crash"
    assert [measure_text(fault("lying", count)) for count in (1, 6)] == ["1 time", "6 times"]
