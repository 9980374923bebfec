"""The one door of the protocol: an event and the time go in, effects come out.

`Core.step` runs admit, order, apply, react, in that order, and asks to be woken when something
will be due. It reads no clock, does no I/O and draws no random number, so a list of events with
their times replays to the same effects.
"""

from typing import assert_never

from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import encode
from protocol.errors import Reason, Rejected
from protocol.facts import StateFact
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.early import EarlyBlocks
from protocol.ledger.evidence import make_evidence
from protocol.membership import Membership
from protocol.messages import Genesis, Payload, VerifiedOperation
from protocol.replica import FAULTLESS, Applied, Replica, Taken
from protocol.resting import certificates_in, snapshot_of_end
from protocol.roles.account import OwnAccount
from protocol.roles.neighbour import Neighbour
from protocol.roles.outbox import INTERVAL_MS, Outbox
from protocol.roles.requester import Requester
from protocol.roles.validator import Validator
from protocol.roles.worker import Worker
from protocol.signing import REAL, Identity, Scheme
from protocol.snapshot import Snapshot
from protocol.units import MILLISECOND, AccountId, CommitIndex, Round
from protocol.wire import OperationBatch, Summary


class Core:
    """One node's protocol.

    Args:
        genesis: What the network shares.
        identity: This node's secrets.
        scheme: Signature functions; the real ones except in simulations.
        validates: Whether to propose blocks where this account is a member of the committee.
        snapshot: Where to begin instead of at genesis; what `Replica` raises, this raises.

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
        snapshot: Snapshot | None = None,
    ) -> None:
        self.replica = replica = Replica(genesis, scheme, snapshot)
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
        seeds = (identity.seed, identity.vrf_seed)
        self._membership = Membership(replica, seeds, scheme, validates=validates)
        self._early = EarlyBlocks()
        self._effects: list[fx.Effect] = []
        self._facts: list[StateFact] = []
        self._unanswered: list[StateFact] = []  # what the roles could not act on yet
        self._outbox = Outbox()
        self._is_live = False
        self._is_durable = True
        self._looked_at = CommitIndex(-1)

    @property
    def validator(self) -> Validator | None:
        """The proposing side, when this node is a member of the committee."""
        return self._membership.validator

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
            case ev.BlockReceived():
                self._receive_block(event.peer, event.raw, now)
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
            case ev.ExecutionEnded() | ev.ExecutionImpossible() | ev.TraceOpened():
                self._end_execution(event, now)
            case ev.WorkerOffered():
                self._worker.offer(event)
            case ev.BlocksRestored(blocks):
                for raw in blocks:
                    block = self.replica.restored_block(raw)
                    if block is not None:
                        self._accept(block, self.account, now)
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
            if refusal.reason is Reason.COMING_EPOCH:
                self._early.keep(peer, raw)
            elif refusal.reason not in FAULTLESS:
                self._refuse(peer, refusal)

    def _receive_message(self, peer: AccountId, raw: bytes, now: int) -> None:
        try:
            message = self.admission.message(raw)
            if isinstance(message, OperationBatch):
                for refusal in self.replica.take_operations(message):
                    self._refuse(peer, refusal)
                return
            if isinstance(message, Summary):
                self._membership.hear(peer, message)
            sent = self._neighbour.take(message, peer, now)
            self._effects += sent.effects
            for block in sent.blocks:
                self._receive_block(peer, block, now)
            self._effects += self._neighbour.after(sent, peer, now)
        except Rejected as refusal:
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

    def _end_execution(self, event: ev.ExecutionEvent, now: int) -> None:
        for reveal, payload in self._worker.ended(event, self.own.salt):
            if reveal is not None:
                self._effects.append(fx.PersistReveal(reveal.job, encode(reveal)))
            self._sign_quietly(payload, now)

    def _restore(self, event: ev.Restored, now: int) -> None:
        self._membership.restore(event.epoch, event.last_round, now)
        for raw in event.operations:
            try:
                operation = self.admission.operation(raw)
                if self.pool.add(operation, self.ledger.clock_round, own=True):
                    self._send_out(operation, now)
            except Rejected:
                continue  # already final, so nothing is left to do for it
        pending = [one.operation.payload for one in self.pool.operations(self.account)]
        self._worker.restore(event.reveals, pending, event.final_index)
        self._is_live = True
        if self.halted:
            self._report(fx.Halted(self.halted))

    # Order and apply

    def _accept(self, block: VerifiedBlock, peer: AccountId, now: int) -> None:
        taken = self.replica.take(block, is_stored=not self._is_live)
        if taken.missing:
            self._effects += self._neighbour.miss(taken.missing, peer, now)
        for accepted in taken.accepted:
            self._take_in(accepted)
        if taken.equivocations:
            self._note_equivocations(taken, now)
        broken = self.ledger.broken
        if broken is not None:
            self._halt(f"two verdicts on the leader of round {broken.round}: too many members lie")
        if taken.applied:
            self._follow(taken.applied, now)

    def _follow(self, commits: tuple[Applied, ...], now: int) -> None:
        """Acts on what became final, and begins the next epoch where it ended one."""
        for applied in commits:
            self._note_applied(applied)
        if self.state.epochs.stopped:
            self._halt(self.state.epochs.stopped)
        closing_round = self.ledger.last_leader_round
        if self.replica.begin_epoch():
            self._begin_epoch(closing_round, now)

    def _begin_epoch(self, closing_round: Round, now: int) -> None:
        self._membership.begin_epoch(closing_round, now)
        self._neighbour.begin_epoch(now)
        if self._is_live:
            self._effects.append(snapshot_of_end(self.state, self.account, self._worker.spent()))
        for peer, raw in self._early.take():
            self._receive_block(peer, raw, now)

    def _take_in(self, block: VerifiedBlock) -> None:
        """Keeps a block that joined the graph, and looks at what it says of its author."""
        self._neighbour.found(block.digest)
        body = block.block
        vote = body.checkpoint
        if vote is not None and self._membership.watch.contradicts(body.author, vote):
            self._halt(f"members computed another state at commit {vote.index}")
        if not self._is_live:
            return
        self._effects.append(
            fx.PersistBlock(block.digest, body.epoch, body.round, body.author, block.raw)
        )
        for fact in self._membership.notice(block):
            self._report(fact)

    def _note_equivocations(self, taken: Taken, now: int) -> None:
        for first, second in taken.equivocations:
            author = self.ledger.committee.members[first.block.author].account
            self._report(fx.EquivocationSeen(author, self.ledger.counted(first.block.round)))
            is_news = self._membership.exile(first.block.author)
            if is_news and self._is_live:
                self._sign_quietly(make_evidence(first, second), now)

    def _note_applied(self, applied: Applied) -> None:
        commit = applied.commit
        self._effects += certificates_in(self.state, applied.facts)
        if commit.index % self.parameters.checkpoint_commits == 0:
            self._membership.vote(commit, applied.state_digest)
        if self._is_live:
            self._facts += applied.facts
            index, digest, state_digest = commit.index, commit.digest, applied.state_digest
            self._effects.append(fx.PersistCommit(index, digest, state_digest))
            ledger_round, count = commit.ledger_round, applied.operations
            self._report(
                fx.CommitApplied(index, digest, state_digest, ledger_round, count, commit.time_ms)
            )

    # React

    def _react(self, now: int) -> None:
        if self._facts:
            self._unanswered += self._drain_facts()
        due = None
        if self._is_durable:
            facts, self._unanswered = self._unanswered, []
            if not self.halted:
                self._act(facts, now)
                if self.state.index != self._looked_at:
                    self._do_duties(now)
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

    def _do_duties(self, now: int) -> None:
        """Signs what a staked account owes the ledger by itself, once after each commit."""
        self._looked_at = self.state.index
        for payload in self._membership.duties(now):
            self._sign_quietly(payload, now)

    def _propose(self, now: int) -> int | None:
        """Proposes when it is time to; returns when the next block is due, if that is known."""
        validator = self._membership.validator
        if validator is None:
            return None
        due = validator.due(self.replica.is_busy, now)
        if due is None or due > now:
            return due
        block = validator.propose(self.pool, now)
        body, counted = block.block, self.ledger.counted(block.block.round)
        self._effects.append(fx.PersistSlot(body.epoch, body.round, block.digest))
        self._accept(block, self.account, now)
        self._effects.append(fx.GossipBlock(block.raw))
        self._report(fx.BlockProposed(body.epoch, counted, block.digest, len(block.operations)))
        self._act(self._drain_facts(), now)
        validator = self.validator  # another one, if the block ended the epoch
        return validator.due(self.replica.is_busy, now) if validator is not None else None

    def _drain_facts(self) -> list[StateFact]:
        facts, self._facts = self._facts, []
        for fact in facts:
            self._report(fact)
        return facts

    def _wake_time(self, proposal_due: int | None, now: int) -> int:
        earliest = self._neighbour.next_time(now)
        for time in (self._outbox.due(), proposal_due):
            if time is not None and time < earliest:
                earliest = time
        return max(now, earliest)

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
        due = self.validator.due(lambda: True, now) if self.validator is not None else None
        if due is None or due > now + INTERVAL_MS * MILLISECOND:
            self._outbox.add(operation.raw, now)

    # Small change

    def _report(self, fact: fx.Fact) -> None:
        if self._is_live:
            self._effects.append(fx.Report(fact))

    def _refuse(self, peer: AccountId, refusal: Rejected) -> None:
        self._report(fx.PeerRefused(peer, refusal.reason, refusal.detail))

    def _halt(self, explanation: str) -> None:
        if not self.halted:
            self.halted = explanation
            self._report(fx.Halted(explanation))
