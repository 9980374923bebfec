"""A node's part towards its neighbours: ask for what is missing, answer what they ask."""

from collections.abc import Iterator
from dataclasses import dataclass

from protocol import effects as fx
from protocol.encoding import encode
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.ledger import Ledger
from protocol.ledger.pool import OperationPool
from protocol.ledger.synchronizer import Question, Synchronizer
from protocol.parameters import Parameters
from protocol.units import MILLISECOND, AccountId, Digest, Round
from protocol.wire import BlockBatch, BlockRequest, OperationBatch, PeerMessage, Summary

ANSWER_BYTES_MAX = 768 * 1024
"""Blocks in one answer; leaves room for framing."""

OPERATIONS_BYTES_MAX = 64 * 1024
"""Operations in answer to one summary: it costs its sender a few bytes, and the next goes on."""

CHAINS_MAX = 256
"""Accounts in one summary."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a neighbour's message leads to."""

    effects: tuple[fx.Effect, ...] = ()
    blocks: tuple[bytes, ...] = ()
    is_answer: bool = False


class Neighbour:
    """Summaries, requests and answers between this node and its neighbours."""

    def __init__(self, ledger: Ledger, pool: OperationPool, parameters: Parameters) -> None:
        self._ledger = ledger
        self._pool = pool
        self._synchronizer = Synchronizer(ledger.committee.epoch)
        self._still_ns = (parameters.idle_round_ms + parameters.leader_timeout_ms) * MILLISECOND
        self._round = ledger.clock_round
        self._moved_at = 0

    @property
    def peers(self) -> tuple[AccountId, ...]:
        """The neighbours that messages can be sent to."""
        return self._synchronizer.peers

    def join(self, peer: AccountId, now: int) -> tuple[fx.Effect, ...]:
        """Greets a new neighbour with a summary."""
        self._synchronizer.join(peer, now)
        return (self._summary(peer, answer=False),)

    def leave(self, peer: AccountId) -> None:
        """Forgets a neighbour."""
        self._synchronizer.leave(peer)

    def take(self, message: PeerMessage, peer: AccountId, now: int) -> Taken:
        """Answers a message."""
        match message:
            case Summary():
                return Taken(self._compare(message, peer, now))
            case BlockRequest(epoch=epoch):
                if epoch > self._ledger.committee.epoch:
                    return Taken()
                if not self._synchronizer.may_answer(peer, now):
                    return Taken()
                return Taken((self._answer(peer, message),))
            case BlockBatch(blocks=blocks):
                return Taken(blocks=blocks, is_answer=True)
            case OperationBatch():
                return Taken()

    def begin_epoch(self, now: int) -> None:
        """Goes on with the next epoch; neighbours that are ahead are asked for it at once."""
        self._synchronizer.begin(self._ledger.committee.epoch, now)

    def after(self, taken: Taken, peer: AccountId, now: int) -> tuple[fx.Effect, ...]:
        """Asks for more once an answer's blocks have been taken in."""
        if not taken.is_answer or not taken.blocks:
            return ()
        if self._synchronizer.answered(peer, self._ledger.dag.tips()):
            question = self._synchronizer.ask_closure(peer, now)
            return self._ask(question)
        return ()

    def miss(
        self, digests: tuple[Digest, ...], sender: AccountId, now: int
    ) -> tuple[fx.Effect, ...]:
        """Asks the sender of a block for ancestors that are not here."""
        return self._ask(self._synchronizer.miss(digests, sender, now))

    def found(self, digest: Digest) -> None:
        """Stops looking for a block."""
        self._synchronizer.found(digest)

    def tick(self, now: int) -> tuple[fx.Effect, ...]:
        """Sends the summary and repeats the questions that are due."""
        if self._stands_still(now):
            self._synchronizer.stay_frequent(now)
        if self._synchronizer.is_at_rest(now):
            return ()
        sent: list[fx.Effect] = []
        peer = self._synchronizer.summary_due(now)
        if peer is not None:
            sent.append(self._summary(peer, answer=False))
        if self._synchronizer.is_missing:
            self._synchronizer.keep_missing(self._ledger.missing())
        for question in self._synchronizer.retries(now):
            sent += self._ask(question)
        return tuple(sent)

    def next_time(self, now: int) -> int:
        """Returns when `tick` has something to do."""
        due = self._synchronizer.next_time(now)
        still_at = self._moved_at + self._still_ns
        return still_at if now < still_at < due and self._synchronizer.has_peers else due

    def _stands_still(self, now: int) -> bool:
        """Whether no round came for longer than an idle network takes for one.

        A cut that heals before its connections break tells nobody that it healed. While nothing
        moves, only summaries find the other side again, so they must not become rare.
        """
        clock_round = self._ledger.dag.clock_round
        if clock_round != self._round:
            self._round, self._moved_at = clock_round, now
        return now - self._moved_at >= self._still_ns

    def _answer(self, peer: AccountId, request: BlockRequest) -> fx.Effect:
        """Answers from memory when all that is asked for is there, else from the store.

        So are questions for an epoch that is over here: whoever has not seen its end needs it.
        """
        dag, have = self._ledger.dag, request.have
        blocks = [dag.get(digest) for digest in request.wanted]
        is_recent = request.epoch == self._ledger.committee.epoch
        is_recent = is_recent and (not have or min(have) >= dag.gc_round)
        if not is_recent or any(block is None for block in blocks):
            limit_bytes = ANSWER_BYTES_MAX
            return fx.SendStoredBlocks(peer, request.wanted, have, limit_bytes, request.epoch)
        raws, left = [], ANSWER_BYTES_MAX
        chosen = [block for block in blocks if block is not None]
        for block in (*chosen, *self._above(have)):
            left -= len(block.raw)
            if left < 0:
                break
            raws.append(block.raw)
        return fx.Send(peer, encode(BlockBatch(tuple(raws))))

    def _above(self, have: tuple[int, ...]) -> Iterator[VerifiedBlock]:
        """Yields the blocks above the rounds that a peer has, lower rounds first."""
        dag = self._ledger.dag
        if not have:
            return
        for block_round in range(min(have) + 1, max(dag.tips()) + 1):
            for block in dag.blocks_of_round(Round(block_round)):
                author = block.block.author
                if author >= len(have) or block_round > have[author]:
                    yield block

    def _compare(self, summary: Summary, peer: AccountId, now: int) -> tuple[fx.Effect, ...]:
        """Finds what either side lacks, asks for the one and sends or announces the other."""
        if not self._synchronizer.may_compare(peer, now):
            return ()
        mine = self._ledger.dag.tips()
        sent: list[fx.Effect] = []
        if self._is_ahead(summary, peer, now):
            sent += self._ask(self._synchronizer.ask_closure(peer, now))
        lacking = self._pool.lacking(summary.chains, CHAINS_MAX, OPERATIONS_BYTES_MAX)
        if lacking:
            sent.append(fx.Send(peer, encode(OperationBatch(lacking))))
        epoch = self._ledger.committee.epoch
        differs = (summary.epoch, summary.tips) != (epoch, mine) or bool(lacking)
        if not summary.answer:
            sent.append(self._summary(peer, answer=True))
        if differs:
            self._synchronizer.hurry_next()
        else:
            self._synchronizer.relax()
        return tuple(sent)

    def _is_ahead(self, summary: Summary, peer: AccountId, now: int) -> bool:
        """Whether a neighbour has blocks that we lack; in a later epoch it has the end of ours."""
        epoch = self._ledger.committee.epoch
        if summary.epoch != epoch:
            self._synchronizer.tell_epoch(peer, summary.epoch, summary.tips)
            return summary.epoch > epoch
        mine, is_still = self._ledger.dag.tips(), self._stands_still(now)
        return self._synchronizer.tell(peer, summary.tips, mine, is_still=is_still)

    def _summary(self, peer: AccountId, answer: bool) -> fx.Effect:
        summary = Summary(
            self._ledger.committee.epoch,
            self._ledger.dag.tips(),
            self._pool.tips(CHAINS_MAX),
            answer,
        )
        return fx.Send(peer, encode(summary))

    def _ask(self, question: Question | None) -> tuple[fx.Effect, ...]:
        if question is None:
            return ()
        have = self._ledger.dag.tips() if question.closure else ()
        request = BlockRequest(self._ledger.committee.epoch, question.wanted, have)
        return (fx.Send(question.peer, encode(request)),)
