"""Random valid DAGs with as many equivocators as the quorum tolerates, and partial views of them.

An adversarial scheduler draws who proposes in each round and which earlier blocks each proposal
refers to, within validity: any valid DAG can come out. Every view that contains the ancestors of
its blocks must then lead to the same commits.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from msgspec.structs import replace

from protocol.errors import Reason, Rejected
from protocol.ledger.block import VerifiedBlock, genesis_reference, reference_to
from protocol.ledger.commit_rule import PathCounts
from protocol.ledger.committee import Committee
from protocol.ledger.ledger import Ledger
from protocol.ledger.ordering import Commit
from protocol.parameters import minimal
from protocol.units import Digest, MemberIndex, Round, Weight
from tests.support.dag_builder import Links, make_committee, make_ledger, plain_block

VIEWS = 12
"""Views that are drawn of each DAG."""
NEAR_HORIZON = 5
"""Rounds kept below a leader where dropping old blocks is to matter within a short DAG."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How DAGs are drawn; rates are in percent.

    Attributes:
        members: Size of the committee, each with weight 1.
        rounds: Rounds that are drawn.
        excess: Byzantine members beyond the tolerated number.
        quorum: A quorum other than the committee's own, for rules that must fail.
        churn_profile: Which quorum the committee has.
        references_per_author: More than 1 drops the rule that makes votes unambiguous.
    """

    members: int = 4
    rounds: int = 11
    excess: int = 0
    quorum: Weight | None = None
    churn_profile: bool = False
    references_per_author: int = 1


@dataclass(frozen=True, slots=True)
class DrawnDag:
    """A DAG: blocks with ancestors first, and by digest the blocks that each refers to."""

    committee: Committee
    byzantine: tuple[int, ...]
    blocks: tuple[VerifiedBlock, ...]
    ancestors: dict[Digest, tuple[Digest, ...]]

    def equivocations(self) -> int:
        """How many pairs of author and round have more than one block."""
        counts = Counter((block.block.author, block.block.round) for block in self.blocks)
        return sum(count > 1 for count in counts.values())


Final = tuple[Digest, int, Digest, tuple[tuple[MemberIndex, Round], ...]]
"""Everything of a commit that its digest does not bind, and its digest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one view makes final."""

    commits: tuple[Final, ...]
    alarm: bool
    paths: PathCounts


@dataclass(frozen=True, slots=True)
class _Temper:
    """How one DAG's scheduler behaves, in percent; drawn once, so that DAGs differ in kind.

    Attributes:
        absence: How often an author makes no block.
        doubling: How often an equivocator makes several.
        agreement: How often a reference takes the first variant rather than any.
        thrift: How often a block has no more parents than it needs.
        shunning: How often a block takes the leader only if it must.
        courting: How often a block takes the leader first.
    """

    absence: int
    doubling: int
    agreement: int
    thrift: int
    shunning: int
    courting: int


@dataclass(slots=True)
class _Draft:
    """A DAG while it is drawn."""

    random: Random
    shape: Shape
    committee: Committee
    temper: _Temper
    rows: list[dict[int, list[VerifiedBlock]]] = field(default_factory=lambda: [{}])
    blocks: list[VerifiedBlock] = field(default_factory=list)
    own: dict[int, list[VerifiedBlock]] = field(default_factory=dict)
    ancestors: dict[Digest, tuple[Digest, ...]] = field(default_factory=dict)

    def chance(self, percent: int) -> bool:
        return self.random.random() * 100 < percent


def tolerated(committee: Committee) -> int:
    """The Byzantine weight under which the rules are safe."""
    return 2 * committee.quorum - committee.total - 1


def draw_dag(seed: int, shape: Shape) -> DrawnDag:
    """Draws a DAG; the same seed and shape give the same one."""
    random = Random(seed)  # noqa: S311  tests must be repeatable
    beacon = Digest(random.getrandbits(256).to_bytes(32, "big"))
    committee = make_committee(
        (1,) * shape.members, beacon=beacon, churn_profile=shape.churn_profile
    )
    count = tolerated(committee) + shape.excess
    byzantine = tuple(sorted(random.sample(range(shape.members), count)))
    if shape.quorum is not None:
        committee.quorum = shape.quorum
    temper = _Temper(
        absence=random.choice((2, 8, 20)),
        doubling=random.choice((10, 40, 80)),
        agreement=random.choice((0, 60, 90)),
        thrift=random.choice((20, 60, 90)),
        shunning=random.choice((0, 10, 25)),
        courting=random.choice((0, 30, 70)),
    )
    draft = _Draft(random, shape, committee, temper)
    for block_round in range(1, shape.rounds + 1):
        draft.rows.append({})
        for author in random.sample(range(shape.members), shape.members):
            copies = 0 if draft.chance(temper.absence) else 1
            if author in byzantine and draft.chance(temper.doubling):
                copies = random.choice((2, 2, 3))
            for copy in range(copies):
                _draw_block(draft, author, block_round, copy)
    return DrawnDag(committee, byzantine, tuple(draft.blocks), draft.ancestors)


def draw_views(dag: DrawnDag, seed: int, count: int = VIEWS) -> list[tuple[VerifiedBlock, ...]]:
    """Draws causally closed parts of a DAG, each in a causal order; the first is the whole."""
    random = Random(seed)  # noqa: S311  tests must be repeatable
    rounds = max((block.block.round for block in dag.blocks), default=0)
    views = [dag.blocks]
    for _ in range(count - 1):
        top = random.randint(min(4, rounds), rounds)
        below = [block.digest for block in dag.blocks if block.block.round <= top]
        roots = random.choice((1, 2, 3, len(below) // 8, len(below) // 2))
        kept = set(random.sample(below, min(roots, len(below))))
        for block in reversed(dag.blocks):
            if block.digest in kept:
                kept.update(dag.ancestors[block.digest])
        views.append(tuple(block for block in dag.blocks if block.digest in kept))
    return views


def replay(
    committee: Committee, view: Iterable[VerifiedBlock], gc_depth_rounds: int = 50
) -> Outcome:
    """Feeds a view to a new ledger and tells what became final, and on which paths."""
    parameters = replace(minimal(), gc_depth_rounds=gc_depth_rounds)
    ledger = make_ledger(committee, parameters)
    commits: list[Final] = []
    for commit in feed(ledger, view):
        commits.append((commit.digest, commit.time_ms, commit.beacon, commit.equivocations))
    return Outcome(tuple(commits), ledger.broken is not None, ledger.paths)


def feed(
    ledger: Ledger,
    blocks: Iterable[VerifiedBlock],
    refused: dict[Digest, VerifiedBlock] | None = None,
) -> Iterator[Commit]:
    """Feeds blocks as a peer would: what was one variant too many comes again once it is wanted.

    Args:
        ledger: Where they go.
        blocks: In this order.
        refused: Filled with what `TOO_MANY_VARIANTS` refuses; what was wanted later is not in it.
    """
    refused = {} if refused is None else refused
    queue = deque(blocks)
    while queue:
        block = queue.popleft()
        try:
            acceptance = ledger.accept(block)
        except Rejected as error:
            if error.reason is not Reason.TOO_MANY_VARIANTS:
                raise
            refused[block.digest] = block
            continue
        yield from acceptance.commits
        wanted = acceptance.missing if refused else ()
        queue.extendleft(refused.pop(digest) for digest in wanted if digest in refused)


def disagreement(outcomes: Sequence[Outcome]) -> str | None:
    """Tells how views contradict each other; None when all are prefixes of one sequence."""
    longest = max(outcomes, key=lambda outcome: len(outcome.commits)).commits
    if any(outcome.commits != longest[: len(outcome.commits)] for outcome in outcomes):
        return "diverged"
    if any(outcome.alarm for outcome in outcomes):
        return "alarm"
    return None


def judge(seed: int, shape: Shape, views: int = VIEWS) -> tuple[DrawnDag, list[Outcome]]:
    """Draws a DAG and replays its views, half of all DAGs with a near horizon."""
    dag = draw_dag(seed, shape)
    depth = 50 if seed % 2 else NEAR_HORIZON
    return dag, [replay(dag.committee, view, depth) for view in draw_views(dag, seed, views)]


def _draw_block(draft: _Draft, author: int, block_round: int, copy: int) -> None:
    """Adds a block on drawn references; none when the previous round lacks a quorum."""
    own = _draw_own(draft, author, block_round)
    parents = _draw_parents(draft, author, block_round, own)
    if parents is None:
        return
    weak = _draw_weak(draft, block_round, {author, *(one.block.author for one in parents)})
    committee, member = draft.committee, MemberIndex(author)
    mine = reference_to(own) if own else genesis_reference(committee, member)
    others = tuple(sorted(reference_to(parent) for parent in parents))
    if block_round == 1:
        members = range(draft.shape.members)
        others = tuple(genesis_reference(committee, MemberIndex(i)) for i in members if i != author)
    links = Links(mine, others, tuple(reference_to(one) for one in weak))
    time_ms = block_round * 1_000 + draft.random.getrandbits(8) * 4 + copy
    block = plain_block(committee, author, block_round, links, time_ms)
    draft.rows[block_round].setdefault(author, []).append(block)
    draft.own.setdefault(author, []).append(block)
    draft.blocks.append(block)
    referred = (*parents, *weak, own) if own else (*parents, *weak)
    draft.ancestors[block.digest] = tuple(one.digest for one in referred)


def _draw_own(draft: _Draft, author: int, block_round: int) -> VerifiedBlock | None:
    """Honest authors continue their latest block, equivocators any of theirs."""
    mine = [one for one in draft.own.get(author, ()) if one.block.round < block_round]
    if not mine:
        return None
    recent = [one for one in mine if one.block.round == mine[-1].block.round]
    return draft.random.choice(recent if draft.chance(80) else mine) if recent[1:] else mine[-1]


def _draw_parents(
    draft: _Draft, author: int, block_round: int, own: VerifiedBlock | None
) -> list[VerifiedBlock] | None:
    """Chooses authors of the previous round up to a quorum or beyond, and a block of each."""
    if block_round == 1:
        return []
    row = draft.rows[block_round - 1]
    leader = draft.committee.leader(Round(block_round - 1))
    authors = [one for one in row if one != author]
    draft.random.shuffle(authors)
    if draft.chance(draft.temper.shunning):
        authors.sort(key=lambda one: one == leader)
    elif draft.chance(draft.temper.courting):
        authors.sort(key=lambda one: one != leader)
    if draft.shape.references_per_author > 1 and draft.chance(50):
        authors.sort(key=lambda one: -len(row[one]))
    needed = draft.committee.quorum - (own is not None and own.block.round == block_round - 1)
    if len(authors) < needed:
        return None
    count = (
        needed if draft.chance(draft.temper.thrift) else draft.random.randint(needed, len(authors))
    )
    parents: list[VerifiedBlock] = []
    for chosen in authors:
        if len(parents) >= count:
            break
        variants = row[chosen]
        most = min(len(variants), draft.shape.references_per_author)
        copies = draft.random.randint(1, most) if most > 1 else 1
        agreed = copies == 1 and draft.chance(draft.temper.agreement)
        parents += variants[:1] if agreed else draft.random.sample(variants, copies)
    return parents


def _draw_weak(draft: _Draft, block_round: int, taken: set[int]) -> list[VerifiedBlock]:
    """Now and then refers to an older block of somebody not referred to yet."""
    if block_round < 3 or not draft.chance(25):
        return []
    older = draft.rows[draft.random.randint(1, block_round - 2)]
    authors = [author for author in older if author not in taken]
    if not authors:
        return []
    return [draft.random.choice(older[draft.random.choice(authors)])]
