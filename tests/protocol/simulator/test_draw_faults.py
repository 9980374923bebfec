from dataclasses import replace

from protocol.simulator.chance import Stream
from protocol.simulator.draw_faults import (
    DOWN_NS,
    FAULT_MAX_NS,
    FAULT_MIN_NS,
    LATE_NS,
    LINK_KINDS,
    Kind,
    Targets,
    draw_faults,
    draw_stale_disk,
)
from protocol.simulator.scenario import Fault, StaleDisk

NODES = 5


def drawn(*kinds: Kind, seed: int = 1) -> list[Fault]:
    return list(draw_faults(Stream(seed, "faults"), kinds, Targets(NODES, iter(range(NODES)))))


def test_each_kind_gives_its_own_faults() -> None:
    names = {
        kind: {type(fault).__name__ for seed in range(50) for fault in drawn(kind, seed=seed)}
        for kind in Kind
    }
    assert all(len(one) == 1 for one in names.values())
    assert len({name for one in names.values() for name in one}) == len(Kind)


def test_each_fault_of_a_node_has_a_node_of_its_own_while_there_are_any() -> None:
    node_kinds = [kind for kind in Kind if kind not in LINK_KINDS]
    found = drawn(*node_kinds, *node_kinds)
    assert [getattr(fault, "node", None) for fault in found] == list(range(NODES))


def test_links_fail_in_many_shapes() -> None:
    shapes = {
        (kind, len(found), getattr(found[0], "pairs", None), getattr(found[0], "groups", None))
        for seed in range(200)
        for kind in (Kind.PARTITION, Kind.CUT, Kind.SLOW, Kind.CLOG)
        for found in [drawn(kind, seed=seed)]
    }
    counts = {kind: {count for one, count, *_ in shapes if one is kind} for kind, *_ in shapes}
    assert counts == {
        Kind.PARTITION: {1, 2},
        Kind.CUT: {1},
        Kind.SLOW: {1, 2},
        Kind.CLOG: {1, NODES},
    }


def test_beside_others_a_clog_and_a_slow_link_take_one_node() -> None:
    for seed in range(50):
        names = [type(one).__name__ for one in drawn(Kind.CLOG, Kind.SLOW, seed=seed)]
        assert names == ["Clog", "SlowLink", "SlowLink"]


def test_a_node_with_an_old_disk_is_down_before_it_comes_back() -> None:
    for seed in range(50):
        fault = draw_stale_disk(Stream(seed, "disk"), 3, is_first=bool(seed % 2))
        assert (fault.node, fault.down_ns) == (3, DOWN_NS)
        assert isinstance(fault, StaleDisk)
        assert FAULT_MIN_NS <= fault.end_ns - fault.start_ns <= FAULT_MAX_NS
        assert fault.end_ns - fault.down_ns > fault.start_ns


def test_late_faults_come_later_and_are_the_same() -> None:
    for kind in Kind:
        targets = [Targets(NODES, iter(range(NODES))) for _ in range(2)]
        early, late = (
            list(draw_faults(Stream(1, "faults"), (kind,), target, late_ns))
            for target, late_ns in zip(targets, (0, LATE_NS), strict=True)
        )
        assert [
            replace(one, start_ns=one.start_ns + LATE_NS, end_ns=one.end_ns + LATE_NS)
            for one in early
        ] == late
