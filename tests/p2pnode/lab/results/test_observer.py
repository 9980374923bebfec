"""The copy beside the run computes what the nodes compute."""

from protocol.simulator.run import Verdict
from tests.p2pnode.lab.results.builders import played


def test_the_observer_knows_every_commit_that_any_node_reported() -> None:
    collector, outcome, _ = played("split-4-1")
    assert outcome.verdict is Verdict.PASS
    observer = collector.observer
    assert len(observer.leader_rounds) >= outcome.counts.commits
    assert all(
        observer.leader_rounds[index - 1] == slot for index, slot in collector.leader_rounds.items()
    )


def test_the_observer_judges_operations_as_the_nodes_do() -> None:
    collector, _, _ = played("equivocating")
    for identifier, note in collector.operations.items():
        if note.final:
            assert identifier in collector.observer.index_of_operation
            assert collector.observer.failures.get(identifier, "") == note.failure


def test_members_are_nodes_whatever_their_order() -> None:
    collector, _, _ = played("calm")
    leaders = {collector.observer.leader_of(slot) for slot in range(1, 60)}
    assert leaders == {0, 1, 2, 3, 4}
    authors = {note.author for note in collector.blocks.values()}
    assert authors == leaders
    assert collector.observer.number_of(collector.setup.accounts[3]) == 3
