from protocol.simulator.chance import Stream
from protocol.simulator.overlay.topology import (
    Topology,
    draw_topology,
    everybody,
    with_strangers,
)


def drawn(count: int = 200, dials: int = 4, accepts: int = 8, seed: int = 1) -> Topology:
    return draw_topology(count, dials, accepts, Stream(seed, "topology"))


def reached(topology: Topology) -> int:
    found, queue = {0: None}, [0]
    while queue:
        for peer in topology.links[queue.pop()]:
            if peer not in found:
                found[peer] = None
                queue.append(peer)
    return len(found)


def test_links_are_mutual_and_bounded_and_reach_everybody() -> None:
    topology = drawn()
    for node, peers in enumerate(topology.links):
        assert node not in peers
        assert all(node in topology.links[peer] for peer in peers)
        assert len(peers) - len(topology.dialled[node]) <= 8
        assert len(topology.dialled[node]) >= 3
    assert sum(map(len, topology.links)) == 2 * len(topology.pairs)
    assert reached(topology) == 200


def test_parts_that_the_draw_left_apart_are_joined() -> None:
    sparse = drawn(count=300, dials=1, accepts=1)
    assert reached(sparse) == 300


def test_one_seed_draws_one_graph() -> None:
    assert drawn(seed=3) == drawn(seed=3)
    assert drawn(seed=3) != drawn(seed=4)


def test_strangers_dial_only_their_targets() -> None:
    base = drawn(count=20)
    joined = with_strangers(base, 5, 2, (3, 4, 5), Stream(1, "strangers"))
    assert joined.links[0] == base.links[0]
    assert [len(joined.links[stranger]) for stranger in range(20, 25)] == [2] * 5
    assert {peer for stranger in range(20, 25) for peer in joined.links[stranger]} <= {3, 4, 5}


def test_everybody_is_linked_to_everybody() -> None:
    assert [list(links) for links in everybody(3).links] == [[0, 1, 2]] * 3
