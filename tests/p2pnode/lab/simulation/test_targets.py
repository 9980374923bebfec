from p2pnode.lab.simulation.targets import conditions_without, nodes_of, without_node
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import Crash, Cut, LossBurst, Partition

DELAY = Delay(Law.CONSTANT, 1, 1)


def test_the_nodes_of_any_fault_are_found() -> None:
    assert nodes_of(Crash(0, 1, 3)) == (3,)
    assert nodes_of(Cut(0, 1, ((2, 0), (0, 2)))) == (0, 2)
    assert nodes_of(Partition(0, 1, ((4, 1), (0,)))) == (0, 1, 4)
    assert nodes_of(LossBurst(0, 1, 5)) == ()


def test_a_fault_is_the_same_without_a_node_and_later_ones_move_up() -> None:
    assert without_node(Crash(0, 1, 3), 1) == Crash(0, 1, 2)
    assert without_node(Cut(0, 1, ((0, 1), (1, 2), (0, 2))), 1) == Cut(0, 1, ((0, 1),))
    split = Partition(0, 1, ((0, 1), (2,), (3, 4)))
    assert without_node(split, 2) == Partition(0, 1, ((0, 1), (2, 3)))
    assert without_node(LossBurst(0, 1, 5), 0) == LossBurst(0, 1, 5)


def test_nothing_is_left_of_a_fault_of_that_node_alone() -> None:
    assert without_node(Crash(0, 1, 3), 3) is None
    assert without_node(Cut(0, 1, ((0, 1),)), 1) is None
    assert without_node(Partition(0, 1, ((0, 1), (2,))), 2) is None


def test_links_are_the_same_without_a_node() -> None:
    slow = (((0, 1), DELAY), ((0, 2), DELAY), ((2, 3), DELAY))
    left = (((0, 1), DELAY), ((1, 2), DELAY))
    assert conditions_without(Conditions(DELAY, slow=slow), 1) == Conditions(DELAY, slow=left)
