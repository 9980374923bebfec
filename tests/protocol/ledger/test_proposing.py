from collections.abc import Iterable

from msgspec.structs import replace

from protocol.ledger.block import VerifiedBlock, content_of, reference_to
from protocol.ledger.dag import Dag
from protocol.ledger.proposing import Contents, Proposer
from protocol.messages import Reference
from protocol.parameters import minimal
from protocol.units import MILLISECOND, MemberIndex, Round
from tests.support.dag_builder import NETWORK, Loom, make_committee

COMMITTEE = make_committee((1, 1, 1, 1))
PARAMETERS = replace(
    minimal(),
    minimum_round_ms=100,
    idle_round_ms=1_000,
    leader_timeout_ms=400,
    vote_grace_ms=200,
    unseen_leader_rounds=3,
)
NOTHING = Contents((), None, b"")


def make_proposer(member: int = 0) -> Proposer:
    return Proposer(COMMITTEE, MemberIndex(member), PARAMETERS, NETWORK)


def dag_of(blocks: Iterable[VerifiedBlock]) -> Dag:
    dag = Dag(COMMITTEE)
    for block in blocks:
        assert dag.add(block) == ()
    return dag


def leader(block_round: int) -> int:
    return COMMITTEE.leader(Round(block_round))


def others(*absent: int) -> list[int]:
    return [author for author in range(4) if author not in absent]


def rows(count: int, absent: int = -1, since: int = 1) -> list[VerifiedBlock]:
    """Rounds of everybody; one member is absent from some round on."""
    loom = Loom(COMMITTEE)
    row: list[VerifiedBlock] = []
    for block_round in range(1, count + 1):
        gone = (absent,) if block_round >= since else ()
        row = loom.row(block_round, row, others(*gone))
    return loom.blocks


def due_ms(proposer: Proposer, dag: Dag, now_ms: int, *, busy: bool = True, last: int = 0) -> int:
    due = proposer.due(dag, last, lambda: busy, now_ms * MILLISECOND)
    assert due is not None
    return due // MILLISECOND


def test_the_first_block_stands_on_the_genesis_blocks_of_all() -> None:
    block = make_proposer(1).compose(dag_of(()), NOTHING, 5 * MILLISECOND)
    genesis = [Reference(n, 0, COMMITTEE.genesis_digests[n]) for n in range(4)]
    assert block.own == genesis[1]
    assert block.parents == (genesis[0], genesis[2], genesis[3])
    assert (block.round, block.weak, block.time_ms, block.proof) == (1, (), 5, b"")


def test_a_block_refers_to_everybodys_block_of_the_round_before() -> None:
    blocks = rows(2)
    contents = Contents((b"one",), None, b"proof")
    block = make_proposer(0).compose(dag_of(blocks), contents, 0)
    assert block.own == reference_to(blocks[4])
    assert block.parents == tuple(reference_to(one) for one in blocks[5:])
    assert (block.content, block.proof) == (content_of((b"one",)), b"proof")


def test_a_round_is_signed_once() -> None:
    proposer, dag = make_proposer(), dag_of(rows(2))
    assert proposer.due(dag, 0, lambda: True, 0) is not None
    proposer.compose(dag, NOTHING, 0)
    assert proposer.due(dag, 0, lambda: True, 10**15) is None
    assert proposer.last_round == 3


def test_nothing_is_signed_up_to_the_remembered_round() -> None:
    proposer = make_proposer()
    proposer.remember(3)
    proposer.remember(2)
    assert proposer.due(dag_of(rows(2)), 0, lambda: True, 10**15) is None
    assert proposer.due(dag_of(rows(3)), 0, lambda: True, 0) is not None


def test_when_the_clock_jumps_only_the_newest_round_is_signed() -> None:
    loom = Loom(COMMITTEE)
    first = loom.row(1, [], range(4))
    row = first
    for block_round in range(2, 7):
        row = loom.row(block_round, row, (1, 2, 3))
    proposer = make_proposer()
    proposer.remember(1)
    block = proposer.compose(dag_of(loom.blocks), NOTHING, 0)
    assert block.round == 7
    assert block.own == reference_to(first[0])
    assert block.parents == tuple(reference_to(one) for one in row)


def test_an_older_block_is_referred_to_once() -> None:
    loom = Loom(COMMITTEE)
    first = loom.row(1, [], range(4))
    second = loom.row(2, first, (0, 1, 2))
    third = loom.row(3, second, (0, 1, 2))
    proposer = make_proposer()
    dag = dag_of(loom.blocks)
    block = proposer.compose(dag, NOTHING, 0)
    assert block.weak == (reference_to(first[3]),)
    for one in loom.row(4, third, (0, 1, 2)):
        assert dag.add(one) == ()
    assert proposer.compose(dag, NOTHING, 0).weak == ()


def test_an_exiled_member_is_not_referred_to_where_a_quorum_allows_it() -> None:
    proposer = make_proposer()
    assert proposer.exile(MemberIndex(3))
    assert not proposer.exile(MemberIndex(3))
    block = proposer.compose(dag_of(rows(2)), NOTHING, 0)
    assert [parent.author for parent in block.parents] == [1, 2]
    assert block.weak == ()


def test_an_exiled_member_is_referred_to_where_no_quorum_is_left_without_it() -> None:
    proposer = make_proposer()
    proposer.exile(MemberIndex(3))
    block = proposer.compose(dag_of(rows(2, absent=2, since=2)), NOTHING, 0)
    assert [parent.author for parent in block.parents] == [1, 3]


def test_the_pace_is_fast_only_while_something_awaits_a_position() -> None:
    proposer, dag = make_proposer(), dag_of(rows(1))
    assert due_ms(proposer, dag, 50) == 50
    proposer.compose(dag, NOTHING, 60 * MILLISECOND)
    next_dag = dag_of(rows(2))
    assert due_ms(proposer, next_dag, 70, busy=True) == 160
    assert due_ms(proposer, next_dag, 75, busy=False) == 1_060


def test_a_leader_that_was_seen_lately_is_waited_for() -> None:
    gone = leader(4)
    me = next(n for n in range(4) if n != gone)
    dag = dag_of(rows(4, absent=gone, since=4))
    assert due_ms(make_proposer(me), dag, 10, last=4) == 10 + 400
    assert due_ms(make_proposer(me), dag_of(rows(4)), 10, last=4) == 10


def test_nobody_waits_for_itself() -> None:
    gone = leader(4)
    dag = dag_of(rows(4, absent=gone, since=4))
    assert due_ms(make_proposer(gone), dag, 10, last=4) == 10


def test_a_leader_unseen_for_long_is_not_waited_for() -> None:
    last = next(n for n in range(6, 40) if leader(n - 1) != leader(n) != leader(n - 2))
    gone = leader(last)
    me = next(n for n in range(4) if n != gone)
    blocks = rows(last, absent=gone, since=last - 3)
    assert due_ms(make_proposer(me), dag_of(blocks), 10, last=last) == 10
    blocks = rows(last, absent=gone, since=last - 2)
    assert due_ms(make_proposer(me), dag_of(blocks), 10, last=last) == 410


def test_with_commits_far_behind_every_leader_is_waited_for_and_longer() -> None:
    last = next(n for n in range(30, 60) if leader(n) not in (leader(n - 1), leader(n - 2)))
    gone = leader(last)
    me = next(n for n in range(4) if n != gone)
    dag = dag_of(rows(last, absent=gone, since=last - 10))
    clock = last + 1
    assert due_ms(make_proposer(me), dag, 0, last=clock - 24) == 0
    assert due_ms(make_proposer(me), dag, 0, last=clock - 25) == 400 * 8
    assert due_ms(make_proposer(me), dag, 0, last=0) == 400 << min(6, clock // 8)


def test_the_growth_of_waits_ends() -> None:
    proposer, dag = make_proposer(), dag_of(rows(3, absent=leader(3), since=3))
    me = next(n for n in range(4) if n != leader(3))
    proposer = make_proposer(me)
    waits = [proposer._wait_ms(dag, Round(4), 4 - lag) for lag in (0, 7, 8, 16, 48, 64, 10_000)]
    assert waits == [400, 400, 800, 1_600, 400 * 64, 400 * 64, 400 * 64]


def test_missing_votes_for_a_leader_are_waited_for_shortly() -> None:
    led = 3
    silent = next(n for n in range(4) if n not in (leader(led), leader(led + 1)))
    against = next(n for n in range(4) if n not in (leader(led), leader(led + 1), silent))
    loom = Loom(COMMITTEE)
    row: list[VerifiedBlock] = []
    for block_round in range(1, led + 1):
        row = loom.row(block_round, row, range(4))
    without = [one for one in row if one.block.author != leader(led)]
    for author in others(silent):
        loom.weave(author, led + 1, without if author == against else row)
    dag = dag_of(loom.blocks)
    assert [tally.weight for tally in dag.slot(Round(led)).votes.values()] == [2]
    assert due_ms(make_proposer(silent), dag, 0, last=led) == 200
    assert dag.add(loom.weave(silent, led + 1, row)) == ()
    assert due_ms(make_proposer(silent), dag, 0, last=led) == 0


def test_a_blamed_leader_is_not_waited_for() -> None:
    led = 3
    gone = leader(led)
    loom = Loom(COMMITTEE)
    row: list[VerifiedBlock] = []
    for block_round in range(1, led + 1):
        row = loom.row(block_round, row, range(4))
    without = [one for one in row if one.block.author != gone]
    for author in others(gone):
        loom.weave(author, led + 1, without)
    if leader(led + 1) == gone:
        loom.weave(gone, led + 1, row)
    me = next(n for n in range(4) if n != gone)
    assert due_ms(make_proposer(me), dag_of(loom.blocks), 0, last=led) == 0


def test_waits_count_from_the_moment_that_the_round_began() -> None:
    gone = leader(4)
    me = next(n for n in range(4) if n != gone)
    proposer, dag = make_proposer(me), dag_of(rows(4, absent=gone, since=4))
    assert due_ms(proposer, dag, 100, last=4) == 500
    assert due_ms(proposer, dag, 450, last=4) == 500
