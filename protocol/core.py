"""The one door of the protocol: an event and the time go in, effects come out.

`Core.step` runs admit, order, apply, react, in that order, and asks to be woken when something
will be due. It reads no clock, does no I/O and draws no random number, so a list of events with
their times replays to the same effects.
"""

from dataclasses import dataclass
from typing import assert_never

from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import encode
from protocol.errors import Reason, Rejected
from protocol.facts import StateFact
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.evidence import make_evidence
from protocol.messages import (
    Genesis,
    OperationBatch,
    Payload,
    Summary,
    VerifiedOperation,
)
from protocol.replica import Applied, Replica, Taken
from protocol.roles.account import OwnAccount
from protocol.roles.neighbour import Neighbour
from protocol.roles.outbox import INTERVAL_MS, Outbox
from protocol.roles.requester import Requester
from protocol.roles.validator import CheckpointWatch, Validator
from protocol.roles.worker import Worker
from protocol.signing import REAL, Scheme
from protocol.units import MILLISECOND, AccountId


@dataclass(frozen=True, slots=True)
class Identity:
    """The secrets of one node."""

    seed: bytes
    """32-byte signing seed: account, block signatures and libp2p identity."""
    vrf_seed: bytes
    """32-byte seed of the verifiable random function; never the same as `seed`."""


class Core:
    """One node's protocol.

    Args:
        genesis: What the network shares.
        identity: This node's secrets.
        scheme: Signature functions; the real ones except in simulations.
        validates: Whether to propose blocks where this account is a member of the committee.

    Attributes:
        network: The network's digest.
        account: This node's account.
        state: Jobs and balances as of the last final commit; read-only for others.
        ledger: Blocks and their order; read-only for others.
        pool: Operations that are not final yet; read-only for others.
        halted: Why the ledger must not go on, or an empty text.
    """

    def __init__(
        self,
        genesis: Genesis,
        identity: Identity,
        scheme: Scheme = REAL,
        *,
        validates: bool = True,
    ) -> None:
        self.replica = replica = Replica(genesis, scheme)
        self.genesis = genesis
        self.network = replica.network
        self.parameters = replica.parameters
        self.ledger, self.state, self.pool = replica.ledger, replica.state, replica.pool
        self.admission = replica.admission
        self.own = OwnAccount(identity.seed, self.network, self.state, self.pool, scheme)
        self.account: AccountId = self.own.account
        self.halted = ""
        self._neighbour = Neighbour(self.ledger, self.pool, self.parameters)
        self._worker = Worker(self.account, self.state)
        self._requester = Requester(self.account, self.state)
        self._watch = CheckpointWatch(self.ledger)
        self._validator = self._make_validator(identity, scheme) if validates else None
        self._effects: list[fx.Effect] = []
        self._facts: list[StateFact] = []
        self._unanswered: list[StateFact] = []  # what the roles could not act on yet
        self._outbox = Outbox()
        self._is_live = False
        self._is_durable = True

    @property
    def validator(self) -> Validator | None:
        """The proposing side, when this node is a member of the committee."""
        return self._validator

    @property
    def peers(self) -> tuple[AccountId, ...]:
        """The neighbours that messages can be sent to."""
        return self._neighbour.peers

    def step(self, event: ev.Event, now: int) -> tuple[fx.Effect, ...]:
        """Takes in one event.

        Args:
            event: What happened.
            now: Nanoseconds since genesis; never less than at the step before.

        Returns:
            What the world shall do, in this order.
        """
        self._effects = []
        self._take(event, now)
        if self._is_live:
            self._react(now)
        taken = self._effects
        self._effects = []
        return tuple(taken)

    # Events

    def _take(self, event: ev.Event, now: int) -> None:  # noqa: PLR0912  a case an event
        match event:
            case ev.BlockReceived(peer, raw):
                self._receive_block(peer, raw, now)
            case ev.MessageReceived(peer, raw):
                self._receive_message(peer, raw, now)
            case ev.Tick():
                pass
            case ev.PeerJoined(peer):
                self._effects += self._neighbour.join(peer, now)
            case ev.PeerLeft(peer):
                self._neighbour.leave(peer)
            case ev.OperationRequested(ticket, payload):
                self._request(ticket, payload, now)
            case ev.OperationSubmitted(ticket, raw):
                self._submit(ticket, raw, now)
            case ev.ExecutionEnded() | ev.ExecutionImpossible():
                self._end_execution(event, now)
            case ev.WorkerOffered():
                self._worker.offer(event)
            case ev.BlocksRestored(blocks):
                for raw in blocks:
                    self._accept(self.admission.stored_block(raw), self.account, now)
            case ev.Restored():
                self._restore(event, now)
            case ev.StoreFailed():
                self._is_durable = False
            case ev.StoreRecovered():
                self._is_durable = True
            case _:
                assert_never(event)

    def _receive_block(self, peer: AccountId, raw: bytes, now: int) -> None:
        try:
            block = self.admission.block(raw, horizon=self.ledger.gc_round)
            if block.digest not in self.ledger.dag:
                self._accept(block, peer, now)
        except Rejected as refusal:
            if refusal.reason is not Reason.BEHIND_HORIZON:  # honest answers overshoot, too
                self._refuse(peer, refusal)

    def _receive_message(self, peer: AccountId, raw: bytes, now: int) -> None:
        try:
            message = self.admission.message(raw)
            if isinstance(message, OperationBatch):
                self._receive_operations(peer, message)
                return
            if isinstance(message, Summary) and self._validator is not None:
                self._validator.hear(peer, message.tips)
            sent = self._neighbour.take(message, peer, now)
            self._effects += sent.effects
            for block in sent.blocks:
                self._receive_block(peer, block, now)
            self._effects += self._neighbour.after(sent, peer, now)
        except Rejected as refusal:
            self._refuse(peer, refusal)

    def _receive_operations(self, peer: AccountId, batch: OperationBatch) -> None:
        for raw in batch.operations:
            try:
                self.pool.add(self.admission.operation(raw), self.ledger.clock_round)
            except Rejected as refusal:
                if refusal.reason is not Reason.STALE_NONCE:
                    self._refuse(peer, refusal)

    def _request(self, ticket: int, payload: Payload, now: int) -> None:
        try:
            self.state.preview(self.account, payload)
            self.own.leave_room_for_duties()
            operation = self._sign(payload, now)
        except Rejected as refusal:
            self._report(fx.OperationRefused(ticket, refusal.reason, refusal.detail))
        else:
            self._report(fx.OperationSeen(ticket, operation.identifier))

    def _submit(self, ticket: int, raw: bytes, now: int) -> None:
        try:
            operation = self.admission.operation(raw)
            self.pool.add(operation, self.ledger.clock_round, own=True)
        except Rejected as refusal:
            self._report(fx.OperationRefused(ticket, refusal.reason, refusal.detail))
            return
        self._keep_and_send(operation, now)
        self._report(fx.OperationSeen(ticket, operation.identifier))

    def _end_execution(self, event: ev.ExecutionEnded | ev.ExecutionImpossible, now: int) -> None:
        for reveal, payload in self._worker.ended(event, self.own.salt):
            if reveal is not None:
                self._effects.append(fx.PersistReveal(reveal.job, encode(reveal)))
            self._sign_quietly(payload, now)

    def _restore(self, event: ev.Restored, now: int) -> None:
        if self._validator is not None:
            self._validator.restore(event.last_round, now)
        for raw in event.operations:
            try:
                operation = self.admission.operation(raw)
                if self.pool.add(operation, self.ledger.clock_round, own=True):
                    self._send_out(operation, now)
            except Rejected:
                continue  # already final, so nothing is left to do for it
        pending = [one.operation.payload for one in self.pool.operations(self.account)]
        self._worker.restore(event.reveals, pending)
        self._is_live = True
        if self.halted:
            self._report(fx.Halted(self.halted))

    # Order and apply

    def _accept(self, block: VerifiedBlock, peer: AccountId, now: int) -> None:
        taken = self.replica.take(block, is_stored=not self._is_live)
        self._effects += self._neighbour.miss(taken.missing, peer, now)
        for accepted in taken.accepted:
            self._take_in(accepted)
        self._note_equivocations(taken, now)
        for applied in taken.applied:
            self._note_applied(applied)
        broken = self.ledger.broken
        if broken is not None:
            self._halt(f"two verdicts on the leader of round {broken.round}: too many members lie")

    def _take_in(self, block: VerifiedBlock) -> None:
        """Keeps a block that joined the graph, and looks at what it says of its author."""
        self._neighbour.found(block.digest)
        body = block.block
        vote = body.checkpoint
        if vote is not None and self._watch.contradicts(body.author, vote):
            self._halt(f"members computed another state at commit {vote.index}")
        if not self._is_live:
            return
        self._effects.append(
            fx.PersistBlock(block.digest, body.epoch, body.round, body.author, block.raw)
        )
        if self._validator is not None:
            for fact in self._validator.warnings(block):
                self._report(fact)

    def _note_equivocations(self, taken: Taken, now: int) -> None:
        for first, second in taken.equivocations:
            author = self.ledger.committee.members[first.block.author].account
            self._report(fx.EquivocationSeen(author, first.block.round))
            if self._validator is None:
                continue
            is_news = self._validator.exile(first.block.author)
            if is_news and self._is_live:
                self._sign_quietly(make_evidence(first, second), now)

    def _note_applied(self, applied: Applied) -> None:
        commit, state_digest = applied.commit, applied.state_digest
        if commit.index % self.parameters.checkpoint_commits == 0:
            self._watch.keep(commit.index, commit.digest, state_digest)
            if self._validator is not None:
                self._validator.vote(commit.index, commit.digest, state_digest)
        if not self._is_live:
            return
        self._facts += applied.facts
        self._effects.append(fx.PersistCommit(commit.index, commit.digest, state_digest))
        self._report(
            fx.CommitApplied(
                commit.index,
                commit.digest,
                state_digest,
                commit.leader_round,
                applied.operations,
                commit.time_ms,
            )
        )

    # React

    def _react(self, now: int) -> None:
        self._unanswered += self._drain_facts()
        due = None
        if self._is_durable:
            facts, self._unanswered = self._unanswered, []
            if not self.halted:
                self._act(facts, now)
                due = self._propose(now)
        self._effects += self._neighbour.tick(now)
        batch = self._outbox.flush(now)
        if batch is not None:
            self._effects.append(fx.GossipOperations(batch))
        self._effects.append(fx.WakeAt(self._wake_time(due, now)))

    def _act(self, facts: list[StateFact], now: int) -> None:
        """Lets the roles answer what became final."""
        if not facts:
            return
        worker = self._worker.react(facts)
        self._effects += worker.effects
        for payload in worker.operations:
            self._sign_quietly(payload, now)
        self._effects += self._requester.react(facts)

    def _propose(self, now: int) -> int | None:
        """Proposes when it is time to; returns when the next block is due, if that is known."""
        validator = self._validator
        if validator is None:
            return None
        due = validator.due(self._is_busy, now)
        if due is None or due > now:
            return due
        block = validator.propose(self.pool, now)
        body = block.block
        self._effects.append(fx.PersistSlot(body.epoch, body.round, block.digest))
        self._accept(block, self.account, now)
        self._effects.append(fx.GossipBlock(block.raw))
        self._report(fx.BlockProposed(body.round, block.digest, len(block.operations)))
        self._act(self._drain_facts(), now)
        return validator.due(self._is_busy, now)

    def _drain_facts(self) -> list[StateFact]:
        facts, self._facts = self._facts, []
        for fact in facts:
            self._report(fact)
        return facts

    def _is_busy(self) -> bool:
        return self.pool.busy or self.state.awaiting_ledger

    def _wake_time(self, proposal_due: int | None, now: int) -> int:
        times = (self._neighbour.next_time(now), self._outbox.due(), proposal_due)
        return max(now, min([time for time in times if time is not None]))

    # Own operations

    def _sign(self, payload: Payload, now: int) -> VerifiedOperation:
        """Signs, keeps and sends out an operation of this node's account.

        Raises:
            Rejected: when the account does not exist or too many of its operations wait.
        """
        operation = self.own.sign(payload, self.ledger.clock_round)
        self.admission.keep(operation)
        self._keep_and_send(operation, now)
        return operation

    def _keep_and_send(self, operation: VerifiedOperation, now: int) -> None:
        self._effects.append(
            fx.PersistOperation(operation.identifier, operation.operation.nonce, operation.raw)
        )
        self._send_out(operation, now)

    def _sign_quietly(self, payload: Payload, now: int) -> None:
        """Signs what a role asks for; what cannot be signed now is asked for again later."""
        try:
            self._sign(payload, now)
        except Rejected as refusal:
            self._worker.refused(payload)
            self._report(fx.OperationRefused(0, refusal.reason, refusal.detail))

    def _send_out(self, operation: VerifiedOperation, now: int) -> None:
        """Puts an operation into the next gossip batch, unless the next own block carries it."""
        due = self._validator.due(lambda: True, now) if self._validator is not None else None
        if due is None or due > now + INTERVAL_MS * MILLISECOND:
            self._outbox.add(operation.raw, now)

    # Small change

    def _make_validator(self, identity: Identity, scheme: Scheme) -> Validator | None:
        member = self.ledger.committee.index_of(self.account)
        if member is None:
            return None
        seeds = (identity.seed, identity.vrf_seed)
        return Validator(self.ledger, member, seeds, self.network, self.parameters, scheme)

    def _report(self, fact: fx.Fact) -> None:
        if self._is_live:
            self._effects.append(fx.Report(fact))

    def _refuse(self, peer: AccountId, refusal: Rejected) -> None:
        self._report(fx.PeerRefused(peer, refusal.reason, refusal.detail))

    def _halt(self, explanation: str) -> None:
        if not self.halted:
            self.halted = explanation
            self._report(fx.Halted(explanation))
