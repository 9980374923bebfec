from itertools import pairwise
from typing import TypeVar

from protocol import effects as fx
from protocol.encoding import encode
from protocol.ledger.synchronizer import ANSWER_INTERVAL_MS, RETRY_MS, SUMMARY_INTERVAL_MS
from protocol.roles.neighbour import (
    ANSWER_BYTES_MAX,
    CHAINS_MAX,
    OPERATIONS_BYTES_MAX,
    Neighbour,
    Taken,
)
from protocol.units import MILLISECOND, SECOND, Digest
from protocol.wire import (
    BlockBatch,
    BlockRequest,
    OperationBatch,
    PeerMessage,
    Summary,
    open_message,
)
from tests.support.core_group import CoreGroup, account, fake_genesis
from tests.support.operations import fake_operation

PEER, OTHER = account(1), account(2)
UNKNOWN = Digest(b"\x07" * 32)
Kind = TypeVar("Kind", bound=PeerMessage)


def running(seconds: int = 6) -> tuple[Neighbour, CoreGroup]:
    """The neighbour's part of a node in a network that has made some rounds."""
    group = CoreGroup().start().seconds(seconds)
    core = group.cores[0]
    neighbour = Neighbour(core.ledger, core.pool, core.parameters)
    neighbour.join(PEER, group.now)
    return neighbour, group


def sent(effects: tuple[fx.Effect, ...], kind: type[Kind]) -> list[Kind]:
    opened = [open_message(effect.raw) for effect in effects if isinstance(effect, fx.Send)]
    return [message for message in opened if isinstance(message, kind)]


def summary_of(group: CoreGroup, *, answer: bool = False) -> Summary:
    core = group.cores[0]
    return Summary(0, core.ledger.dag.tips(), core.pool.tips(CHAINS_MAX), answer)


def test_a_new_neighbour_is_greeted_with_a_summary() -> None:
    neighbour, group = running()
    effects = neighbour.join(OTHER, group.now)
    assert sent(effects, Summary) == [summary_of(group)]
    assert [effect.peer for effect in effects if isinstance(effect, fx.Send)] == [OTHER]
    assert neighbour.peers == (PEER, OTHER)
    neighbour.leave(OTHER)
    assert len(neighbour.peers) == 1


def test_an_equal_summary_is_answered_with_a_summary_and_nothing_else() -> None:
    neighbour, group = running()
    taken = neighbour.take(summary_of(group), PEER, group.now)
    assert taken.effects == (fx.Send(PEER, encode(summary_of(group, answer=True))),)


def test_an_answer_is_not_answered() -> None:
    neighbour, group = running()
    assert neighbour.take(summary_of(group, answer=True), PEER, group.now) == Taken()


def test_a_neighbour_is_sent_the_operations_that_it_lacks() -> None:
    neighbour, group = running()
    one = fake_operation(group.terms, 3)
    group.cores[0].pool.add(one, 1)
    taken = neighbour.take(Summary(0, (), (), answer=True), PEER, group.now)
    assert sent(taken.effects, OperationBatch) == [OperationBatch((one.raw,))]


def test_summaries_in_quick_succession_are_not_compared() -> None:
    neighbour, group = running()
    group.cores[0].pool.add(fake_operation(group.terms, 3), 1)
    empty = Summary(0, (), (), answer=False)
    answers = [
        neighbour.take(empty, PEER, group.now + after_ms * MILLISECOND).effects
        for after_ms in (0, 1, SUMMARY_INTERVAL_MS - 1, SUMMARY_INTERVAL_MS)
    ]
    assert [len(effects) for effects in answers] == [2, 0, 0, 2]


def test_a_neighbour_in_a_later_epoch_is_asked_for_the_rest_of_this_one() -> None:
    neighbour, group = running()
    later = Summary(1, (0,) * 4, (), answer=True)
    taken = neighbour.take(later, PEER, group.now)
    tips = group.cores[0].ledger.dag.tips()
    assert sent(taken.effects, BlockRequest) == [BlockRequest(0, (), tips)]


def test_a_neighbour_that_is_ahead_is_asked_for_the_closure_once() -> None:
    neighbour, group = running()
    tips = group.cores[0].ledger.dag.tips()
    ahead = Summary(0, tuple(tip + 1 for tip in tips), (), answer=True)
    taken = neighbour.take(ahead, PEER, group.now)
    assert sent(taken.effects, BlockRequest) == [BlockRequest(0, (), tips)]
    later = group.now + RETRY_MS * MILLISECOND - 1
    assert sent(neighbour.take(ahead, PEER, later).effects, BlockRequest) == []


def test_after_blocks_came_more_is_asked_for_while_there_is_more() -> None:
    neighbour, group = running()
    tips = group.cores[0].ledger.dag.tips()
    ahead = Summary(0, tuple(tip + 1 for tip in tips), (), answer=True)
    neighbour.take(ahead, PEER, group.now)
    blocks = neighbour.take(BlockBatch((b"block",)), PEER, group.now)
    assert blocks == Taken(blocks=(b"block",), is_answer=True)
    asked = neighbour.after(blocks, PEER, group.now)
    assert sent(asked, BlockRequest) == [BlockRequest(0, (), tips)]
    empty = neighbour.take(BlockBatch(()), PEER, group.now)
    assert neighbour.after(empty, PEER, group.now) == ()


def test_recent_blocks_are_answered_from_memory_each_with_what_lies_above() -> None:
    neighbour, group = running()
    dag = group.cores[0].ledger.dag
    tips = dag.tips()
    newest = dag.blocks_of_round(tips[0])
    have = tuple(tip - 1 for tip in tips)
    taken = neighbour.take(BlockRequest(0, (), have), PEER, group.now)
    (batch,) = sent(taken.effects, BlockBatch)
    expected = [
        block.raw
        for number in range(min(have) + 1, max(tips) + 1)
        for block in dag.blocks_of_round(type(tips[0])(number))
        if number > have[block.block.author]
    ]
    assert list(batch.blocks) == expected
    named = neighbour.take(BlockRequest(0, (newest[0].digest,), ()), PEER, group.now + SECOND)
    assert sent(named.effects, BlockBatch) == [BlockBatch((newest[0].raw,))]


def test_what_is_not_in_memory_is_answered_from_the_store() -> None:
    neighbour, group = running()
    taken = neighbour.take(BlockRequest(0, (UNKNOWN,), ()), PEER, group.now)
    assert taken.effects == (fx.SendStoredBlocks(PEER, (UNKNOWN,), (), ANSWER_BYTES_MAX, 0),)


def test_a_newcomer_is_answered_from_the_store() -> None:
    neighbour, group = running(50)
    assert group.cores[0].ledger.gc_round > 0
    taken = neighbour.take(BlockRequest(0, (), (0,) * 4), PEER, group.now)
    assert taken.effects == (fx.SendStoredBlocks(PEER, (), (0,) * 4, ANSWER_BYTES_MAX, 0),)


def test_requests_of_one_neighbour_are_answered_at_a_bounded_rate() -> None:
    neighbour, group = running()
    request = BlockRequest(0, (UNKNOWN,) * 512, (0,) * 64)
    answered = [
        len(neighbour.take(request, PEER, group.now + after_ms * MILLISECOND).effects)
        for after_ms in (0, 1, ANSWER_INTERVAL_MS - 1, ANSWER_INTERVAL_MS)
    ]
    assert answered == [1, 0, 0, 1]


def test_strangers_and_other_epochs_are_not_answered() -> None:
    neighbour, group = running()
    assert neighbour.take(BlockRequest(0, (UNKNOWN,), ()), OTHER, group.now) == Taken()
    assert neighbour.take(BlockRequest(1, (UNKNOWN,), ()), PEER, group.now) == Taken()
    assert neighbour.take(Summary(0, (9,) * 4, (), answer=False), OTHER, group.now) == Taken()


def test_operations_are_none_of_its_business() -> None:
    neighbour, group = running()
    assert neighbour.take(OperationBatch((b"",)), PEER, group.now) == Taken()


def test_the_sender_of_a_block_is_asked_for_its_ancestors() -> None:
    neighbour, group = running()
    tips = group.cores[0].ledger.dag.tips()
    assert neighbour.miss((), PEER, group.now) == ()
    asked = neighbour.miss((UNKNOWN,), PEER, group.now)
    assert sent(asked, BlockRequest) == [BlockRequest(0, (UNKNOWN,), tips)]


def test_blocks_that_the_ledger_no_longer_waits_for_are_not_asked_for_again() -> None:
    neighbour, group = running()
    neighbour.miss((UNKNOWN,), PEER, group.now)
    later = group.now + RETRY_MS * MILLISECOND
    assert sent(neighbour.tick(later), BlockRequest) == []


def test_summaries_go_out_when_they_are_due() -> None:
    neighbour, group = running()
    assert neighbour.next_time(group.now) <= group.now
    assert sent(neighbour.tick(group.now), Summary) == [summary_of(group)]
    assert neighbour.tick(group.now) == ()
    assert neighbour.next_time(group.now) == group.now + SECOND


def test_summaries_stay_frequent_while_no_round_comes() -> None:
    neighbour, group = running(0)
    parameters = group.cores[0].parameters
    still = (parameters.idle_round_ms + parameters.leader_timeout_ms) * MILLISECOND
    times, now = [], group.now
    while len(times) < 12:
        if sent(neighbour.tick(now), Summary):
            times.append(now)
            equal = encode(summary_of(group, answer=True))
            neighbour.take(open_message(equal), PEER, now)
        now = max(now + 1, neighbour.next_time(now))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) > SECOND, "while rounds may still come they grow rarer"
    late = [gap for gap, time in zip(gaps, times, strict=False) if time > group.now + still]
    assert late == [SECOND] * len(late)
    assert late


def test_an_empty_summary_draws_a_bounded_answer() -> None:
    neighbour, group = running()
    core = group.cores[0]
    for nonce in range(core.parameters.chain_pool_max):
        for number in (1, 2, 3):
            core.pool.add(fake_operation(fake_genesis(), number, nonce), 1)
    pooled = sum(len(one.raw) for n in (1, 2, 3) for one in core.pool.operations(account(n)))
    assert pooled > OPERATIONS_BYTES_MAX, "there is more to send than one answer holds"
    taken = neighbour.take(Summary(0, (0, 0, 0, 0), (), answer=False), PEER, group.now)
    (batch,) = sent(taken.effects, OperationBatch)
    size_bytes = sum(len(raw) for raw in batch.operations)
    assert OPERATIONS_BYTES_MAX // 2 < size_bytes <= OPERATIONS_BYTES_MAX
