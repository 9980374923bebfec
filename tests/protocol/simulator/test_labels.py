from dataclasses import replace

from protocol import effects as fx
from protocol.simulator.catalogue import calm
from protocol.simulator.labels import Isolation, Labels, isolations_of
from protocol.simulator.scenario import Behaviour, Partition, Scenario
from protocol.units import CommitIndex, Digest, Round

START, END = 100, 200
TOP = 9


def cut(*groups: tuple[int, ...]) -> Scenario:
    return replace(calm(1), faults=(Partition(START, END, groups),))


def report(index: int, leader_round: int) -> fx.Report:
    digest = Digest(bytes(32))
    return fx.Report(
        fx.CommitApplied(CommitIndex(index), digest, digest, Round(leader_round), 0, 0)
    )


def watching() -> Labels:
    labels = Labels(cut((0, 1, 2, 3), (4,)))
    for time, block_round in ((START - 1, TOP), (START + 1, TOP + 5)):
        labels.effect(time, 0, fx.Report(fx.BlockProposed(0, Round(block_round), Digest(b""), 0)))
    return labels


def test_only_honest_sides_of_clean_cuts_that_lack_a_quorum_count() -> None:
    assert isolations_of(cut((0, 1, 2, 3), (4,))) == (Isolation(START, END, (4,)),)
    three_two = isolations_of(cut((0, 1, 2), (3, 4)))
    assert [one.nodes for one in three_two] == [(0, 1, 2), (3, 4)]
    assert isolations_of(cut((0, 1, 2), (3,))) == (), "the last node joins both sides"
    liar = replace(cut((0, 1, 2, 3), (4,)), behaviours=((4, Behaviour.LYING),))
    assert isolations_of(liar) == ()


def test_a_key_on_both_sides_counts_on_both() -> None:
    twins = replace(cut((0, 1, 2, 3), (4, 5)), twins=(3,))
    assert [one.nodes for one in isolations_of(twins)] == [(4,)]
    heavy = replace(cut((0, 1, 3), (2, 4, 5)), twins=(3,), stakes=(1, 1, 1, 9, 1))
    assert isolations_of(heavy) == ()


def test_what_crossed_before_the_cut_may_still_become_final() -> None:
    labels = watching()
    labels.effect(START + 5, 4, report(3, TOP - 2))
    assert labels.found == []
    assert labels.isolations[0].claims == 1


def test_a_later_leader_cannot_be_final_without_a_quorum() -> None:
    labels = watching()
    labels.effect(START + 5, 4, report(3, TOP - 1))
    assert [(one.invariant, one.node, one.time_ns) for one in labels.found] == [
        ("honest_labels", 4, START + 5)
    ]


def test_the_side_with_a_quorum_and_the_time_after_the_heal_are_free() -> None:
    labels = watching()
    labels.effect(START + 5, 0, report(3, TOP + 3))
    labels.effect(END + 1, 4, report(3, TOP + 3))
    assert labels.found == []
    assert labels.isolations[0].claims == 0
