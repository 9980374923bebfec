from protocol.simulator.cuts import (
    beside_majorities,
    between,
    between_groups,
    links_into,
    links_of,
    links_out_of,
)
from protocol.simulator.network import Pair


def seen(nodes: int, cut: tuple[Pair, ...]) -> list[frozenset[int]]:
    """Names whom each node still exchanges messages with, itself included."""
    return [
        frozenset(other for other in range(nodes) if not {(node, other), (other, node)} & set(cut))
        for node in range(nodes)
    ]


def test_groups_are_separated_in_both_directions_and_the_bridge_is_not() -> None:
    assert sorted(between_groups([(0, 1), (2,)])) == [(0, 2), (1, 2), (2, 0), (2, 1)]
    assert seen(5, between_groups([(0, 1), (2, 3)]))[4] == frozenset(range(5))


def test_a_deaf_node_keeps_what_it_says_and_a_mute_one_what_it_hears() -> None:
    assert links_into(1, 3) == ((0, 1), (2, 1))
    assert links_out_of(1, 3) == ((1, 0), (1, 2))
    assert sorted(links_of(1, 3)) == [(0, 1), (1, 0), (1, 2), (2, 1)]
    assert between(0, 2) == ((0, 2), (2, 0))


def test_in_the_ring_each_node_sees_a_majority_and_no_two_the_same() -> None:
    for nodes in (5, 7, 9, 11):
        majorities = seen(nodes, beside_majorities(nodes))
        assert min(len(one) for one in majorities) > nodes / 2
        assert max(len(one) for one in majorities) < nodes
        assert len(set(majorities)) == nodes
    assert beside_majorities(4) == ((0, 2), (2, 0), (1, 3), (3, 1))
