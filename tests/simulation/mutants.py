"""Small mistakes in the commit rule, each of which breaks it, and how often random DAGs show it.

`python -m tests.simulation.mutants --count 10000` prints the rates; `--find` searches a DAG for
each mistake and stores it with two views that disagree. The ledger's own alarm is switched off, so
that the views alone must tell.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from unittest.mock import patch

from protocol.ledger import commit_rule
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.commit_rule import CommitRule
from protocol.ledger.dag import SKIPPED, Committed, Dag, Slot, Tally, Verdict, Vertex
from protocol.ledger.ordering import Ordering
from protocol.units import Digest, MemberIndex, Round, Weight
from tests.simulation.rates import told
from tests.support.dag_fuzz import Outcome, Shape, draw_dag, draw_views, replay
from tests.support.stored_dags import store

Delivered = tuple[tuple[VerifiedBlock, ...], tuple[tuple[MemberIndex, Round], ...]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake.

    Attributes:
        mistake: What the naive implementation does.
        plant: Puts it into the product for the time of a `with` block.
        shape: The DAGs that it allows, where it is a mistake of validity.
    """

    mistake: str
    plant: Callable[[], AbstractContextManager[object]]
    shape: Shape = field(default_factory=Shape)


def exclude_known_equivocators() -> AbstractContextManager[object]:
    deliver = Ordering._deliver

    def mutated(self: Ordering, history: Sequence[Vertex]) -> Delivered:
        honest = [one for one in history if len(self._dag.variants(one.author, one.round)) == 1]
        return deliver(self, honest)

    return patch.object(Ordering, "_deliver", mutated)


def after_each_vote(
    look: Callable[[Dag, Round], Verdict | None],
) -> AbstractContextManager[object]:
    count_vote = Dag._count_vote

    def mutated(self: Dag, vertex: Vertex, weight: int) -> None:
        count_vote(self, vertex, weight)
        leader_round = Round(vertex.round - 1)
        verdict = look(self, leader_round)
        if verdict is not None:
            self._decide(self.slot(leader_round), leader_round, verdict)

    return patch.object(Dag, "_count_vote", mutated)


def voted(dag: Dag, leader_round: Round) -> Verdict | None:
    votes = dag.slot(leader_round).votes.items()
    quorum = dag.committee.quorum
    chosen = [Committed(digest) for digest, tally in votes if tally.weight >= quorum]
    return chosen[0] if chosen else None


def blamed_by_some(dag: Dag, leader_round: Round) -> Verdict | None:
    beyond_faulty = dag.committee.total - dag.committee.quorum + 1
    return SKIPPED if dag.slot(leader_round).blame.weight >= beyond_faulty else None


def vote_for_all_references() -> AbstractContextManager[object]:
    """Without one reference per author, a block votes for every leader block that it names."""

    def mutated(self: Dag, slot: Slot, vertex: Vertex) -> Digest | None:
        support: dict[Digest, int] = {}
        for parent in vertex.ancestors:
            for voted_for in parent.ancestors:
                if (voted_for.author, voted_for.round) == (slot.leader, vertex.round - 2):
                    digest = voted_for.block.digest
                    support[digest] = support.get(digest, 0) + self._weights[parent.author]
        certified = (vote for vote, weight in support.items() if weight >= self.committee.quorum)
        return next(certified, None)

    return patch.object(Dag, "_certified", mutated)


def pass_undecided() -> AbstractContextManager[object]:
    def mutated(
        self: CommitRule, verdict: Verdict | None, following: Committed | None
    ) -> Committed | None:
        return verdict if isinstance(verdict, Committed) else following

    return patch.object(CommitRule, "_anchor", mutated)


def count_blocks() -> AbstractContextManager[object]:
    def mutated(self: Tally, bit: int, weight: int) -> None:
        self.members |= bit
        self.weight += weight

    return patch.object(Tally, "add", mutated)


def look_at_all_certificates() -> AbstractContextManager[object]:
    def mutated(self: CommitRule, leader_round: Round, anchor: Vertex) -> Digest | None:
        return next(iter(self._dag.slot(leader_round).certificates), None)

    return patch.object(CommitRule, "_certified_before", mutated)


MUTANTS = {
    "local_exclude": Mutant(
        "leaves out equivocators that this node knows of when it orders",
        exclude_known_equivocators,
    ),
    "multi_ref": Mutant(
        "allows two references to one author and counts both",
        vote_for_all_references,
        Shape(references_per_author=2),
    ),
    "two_round": Mutant(
        "commits on a quorum of votes, without certificates",
        lambda: after_each_vote(voted),
    ),
    "anchor_r2": Mutant(
        "takes anchors two rounds after the slot",
        lambda: patch.object(commit_rule, "ANCHOR_DISTANCE", 2),
    ),
    "skip_f1": Mutant(
        "skips when more than the faulty weight did not vote",
        lambda: after_each_vote(blamed_by_some),
    ),
    "quorum_half": Mutant(
        "takes a simple majority for a quorum",
        nullcontext,
        Shape(members=5, quorum=Weight(3)),
    ),
    "skip_undecided": Mutant("looks for the anchor past an undecided slot", pass_undecided),
    "count_blocks": Mutant("counts the weight of blocks, not of authors", count_blocks),
    "indirect_local": Mutant(
        "looks for certificates in all it has, not in the anchor's history",
        look_at_all_certificates,
    ),
}
"""All but the missing parent quorum; that and `multi_ref` are shown by an attack, not by chance."""


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Puts a mistake into the product, and takes its alarm out."""
    with mutant.plant(), patch.object(Dag, "contradict", lambda *_: None):
        yield


def diverging_views(
    mutant: Mutant, seed: int
) -> tuple[tuple[VerifiedBlock, ...], tuple[VerifiedBlock, ...]] | None:
    """Finds two views of one drawn DAG that a mutant orders differently."""
    dag = draw_dag(seed, mutant.shape)
    views = draw_views(dag, seed)
    outcomes: list[Outcome] = []
    with planted(mutant):
        outcomes = [replay(dag.committee, view) for view in views]
    longest = max(range(len(views)), key=lambda place: len(outcomes[place].commits))
    commits = outcomes[longest].commits
    for view, outcome in zip(views, outcomes, strict=True):
        if outcome.commits != commits[: len(outcome.commits)]:
            return views[longest], view
    return None


def blind_rate(mutant: Mutant, count: int, first_seed: int = 0) -> int:
    """Counts the random DAGs that show a mistake."""
    seeds = range(first_seed, first_seed + count)
    return sum(diverging_views(mutant, seed) is not None for seed in seeds)


def find(name: str, limit: int) -> int | None:
    """Stores the smallest of the first few DAGs that show a mistake, and names its seed."""
    mutant = MUTANTS[name]
    found = []
    for seed in range(limit):
        views = diverging_views(mutant, seed)
        if views is not None:
            found.append((sum(map(len, views)), seed, views))
        if len(found) == 3:
            break
    if not found:
        return None
    _, seed, views = min(found, key=lambda one: one[:2])
    store(name, draw_dag(seed, mutant.shape).committee, views)
    return seed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="DAGs for each mistake")
    parser.add_argument("--only", choices=sorted(MUTANTS), action="append")
    parser.add_argument("--find", action="store_true", help="store a DAG for each mistake")
    options = parser.parse_args()
    for name in options.only or MUTANTS:
        if options.find:
            print(f"{name}: seed {find(name, options.count)}", flush=True)
            continue
        hits = blind_rate(MUTANTS[name], options.count)
        print(f"{name:16} {told(hits, options.count)}", flush=True)


if __name__ == "__main__":
    main()
