"""Ordered operations become jobs and balances; the same commits give every node the same bytes.

The state owns everything that changes, and changes only in `apply`. A commit is worked through in
one order: positions that jobs awaited (close, draw, audit), contradictions that the ledger itself
shows, operations, then deadlines. Nothing here costs time in proportion to the whole state.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from protocol import messages
from protocol.accounts import Accounts
from protocol.balances import Movement
from protocol.earnings import Earnings
from protocol.economy import fees, payments
from protocol.economy.reputation import NEWCOMER, Reputation
from protocol.economy.slashing import Contradiction
from protocol.economy.staking import matured_ms
from protocol.entries import (
    ACCOUNT,
    ACTIVITY,
    EPOCHS,
    ESCROW,
    FORMAT,
    HEADER,
    JOB,
    PENALTIES,
    REPUTATION,
    RESERVES,
    UPTIME,
    AnySection,
    Entries,
    Header,
    Section,
    Table,
    single,
)
from protocol.epochs import Epochs
from protocol.errors import Reason, Rejected
from protocol.facts import OperationApplied, OperationFailed, StateFact, facts_of_job
from protocol.job import lifecycle
from protocol.job.offer import open_job
from protocol.job.position import following, origin
from protocol.job.record import Change, Circumstances, Job
from protocol.job.register import Register
from protocol.ledger.committee import Committee
from protocol.ledger.ordering import Commit
from protocol.messages import (
    EpochPayload,
    EquivocationEvidence,
    Genesis,
    Offer,
    Payload,
    VerifiedOperation,
    network_of,
)
from protocol.punishment import Punishment
from protocol.signing import Scheme
from protocol.snapshot import decode_pages, encode_pages
from protocol.tree.tree import Tree
from protocol.units import AccountId, CommitIndex, Digest, JobId, Milliseconds, Nonce, Round

NEAR_ROUNDS: Final = 12
"""A deadline this many of the shortest rounds away keeps the ledger at full pace."""
NO_JOB: Final = JobId(bytes(32))
"""Stands for the identifier of an offer that is only previewed."""


@dataclass(frozen=True, slots=True)
class _Decision:
    """What an operation does, before anything has changed."""

    movements: tuple[Movement, ...]
    change: Change | None = None
    contradiction: Contradiction | None = None


class State:
    """Balances, reputations and jobs as of the last commit.

    Attributes:
        parameters: What all nodes of the network share.
        epochs: The running committee, and who may be in the next one.
        accounts: All balances; read-only for everybody else.
        earnings: What stake earned lately, and who was there; read-only for everybody else.
        jobs: Every job that is open or ended lately, by identifier.
        open_jobs: The jobs that have not ended.
        digest: Root over all entries: whatever later results depend on.
    """

    def __init__(
        self, genesis: Genesis, committee: Committee, scheme: Scheme, *, is_endowed: bool = True
    ) -> None:
        self.parameters = genesis.parameters
        self.accounts = Accounts(genesis, is_endowed=is_endowed)
        self.epochs = Epochs(genesis, committee, scheme, lambda one: self.accounts.of(one).staked)
        self.earnings = Earnings(self.accounts, self.epochs, self.parameters)
        self._scheme = scheme
        self._network = network_of(genesis)
        self._register = Register()
        self.jobs: Mapping[JobId, Job] = self._register.jobs
        self.open_jobs: Mapping[JobId, Job] = self._register.open_jobs
        self._reputations = Table[AccountId, Reputation]()
        self._punishment = Punishment(
            genesis, scheme, self.accounts, self.epochs, self._reputations
        )
        self._position = origin(Digest(genesis.seed))
        self._began = (self._position, self._position)
        self._facts: list[StateFact] = []
        self._entries = Entries(self._sections())
        self.digest = self._entries.seal()

    @classmethod
    def load(
        cls,
        genesis: Genesis,
        committee: Committee,
        scheme: Scheme,
        pages: Iterable[bytes],
        root: Digest,
    ) -> "State":
        """Makes the state that pages from anywhere hold.

        Args:
            genesis: Where the network started.
            committee: The members of the first epoch.
            scheme: Signature functions.
            pages: What `encode_pages` of an equal state gives.
            root: The root that the state must have. Where an epoch ended, `epochs.resume` has to
                follow.

        Raises:
            Rejected: `TOO_LARGE` or `MALFORMED` for pages that no state has, `WRONG_ROOT` for
                those of another state, `WRONG_NETWORK`.
        """
        state = cls(genesis, committee, scheme, is_endowed=False)
        state._entries.load(decode_pages(pages), root)
        if not state.accounts.conserved():
            raise Rejected(Reason.MALFORMED, "the credits of this state do not add up")
        state.digest = root
        return state

    def encode_pages(self) -> Iterator[bytes]:
        """The whole state in pages, as it is at this call; each page is made when it is asked for.

        A page holds keys and values in their order, see `protocol.snapshot`.
        """
        return encode_pages(self._entries.packed())

    @property
    def tree(self) -> Tree:
        """All entries hashed, whose root is `digest`; a value that can be kept."""
        return self._entries.tree

    @property
    def committee(self) -> Committee:
        """The members whose blocks are ordered."""
        return self.epochs.committee

    @property
    def index(self) -> CommitIndex:
        """Position of the last commit; 0 at genesis."""
        return self._position.index

    @property
    def leader_round(self) -> Round:
        """Round of the last committed leader, counted from genesis on."""
        return self._position.leader_round

    @property
    def commit_time_ms(self) -> Milliseconds:
        """Time of the last commit since genesis."""
        return self._position.time_ms

    @property
    def ledger_time_ms(self) -> Milliseconds:
        """What deadlines run on; stands still while nothing is committed."""
        return self._position.ledger_ms

    @property
    def awaiting_ledger(self) -> bool:
        """Whether a job waits for the ledger; a run alone does not count."""
        if self._register.waiting:
            return True
        deadline_ms = self._register.agenda.next_deadline_ms()
        near_ms = NEAR_ROUNDS * self.parameters.minimum_round_ms
        return deadline_ms is not None and deadline_ms <= self.ledger_time_ms + near_ms

    def next_nonce(self, account: AccountId) -> Nonce | None:
        """The position of an account's next operation; None for one that was never funded."""
        return self.accounts.of(account).nonce if account in self.accounts else None

    def may_send(self, account: AccountId) -> bool:
        """Whether a pool should take in an account's operations: some pay for every failure."""
        return fees.may_send(self.accounts.of(account), self.parameters)

    def reputation_of(self, account: AccountId) -> Reputation:
        """An account's record as a worker."""
        return self._reputations.get(account, NEWCOMER)

    def is_up(self, account: AccountId) -> bool:
        """Whether an account was there nearly all the time lately, as the ledger shows it."""
        return self.earnings.is_up(account)

    def workers_of(self, offer: Offer) -> tuple[AccountId, ...]:
        """Who bid for such jobs lately, on any device that the offer takes."""
        return self._register.workforce.of(offer)

    def preview(self, account: AccountId, payload: Payload) -> None:
        """Judges an operation as if it were the next to become final; changes nothing.

        Raises:
            Rejected: for what it would fail with.
        """
        if account not in self.accounts:
            raise Rejected(Reason.UNKNOWN_ACCOUNT)
        self.accounts.check(self._decide(account, payload, NO_JOB).movements)

    def apply(
        self, commit: Commit, entries: Sequence[VerifiedOperation | None]
    ) -> tuple[StateFact, ...]:
        """Works through one commit.

        Args:
            commit: The next commit.
            entries: Its operations in order; None for bytes that do not open.

        Returns:
            What happened, in order.
        """
        assert commit.index == self.index + 1, "commits are applied in order, each once"
        self._facts = []
        self._position = following(
            self._position, commit.ledger_round, commit.time_ms, commit.beacon, self.parameters
        )
        self.epochs.note(commit)
        kept_ms = self.parameters.ended_job_kept_ms
        self._register.retire(Milliseconds(self.ledger_time_ms - kept_ms))
        agenda = self._register.agenda
        for job in agenda.due_by_round(commit.ledger_round):
            self._drive(lifecycle.reach_round(job, self._circumstances()))
        for job in agenda.due_by_index(commit.index):
            self._drive(lifecycle.reach_index(job, self._circumstances()))
        for member, equivocation_round in commit.equivocations:
            found = Contradiction(self.committee.epoch, member, equivocation_round)
            self._punish(found, None)
        for entry in entries:
            if entry is not None:
                self._enter(entry)
        if self._position.judges:
            for job in agenda.due_by_deadline(self.ledger_time_ms):
                self._drive(lifecycle.pass_deadlines(job, self._circumstances()))
            since_ms = self._began[1].ledger_ms
            self.accounts.mature(matured_ms(self.ledger_time_ms, since_ms, self.parameters))
        self.earnings.note(commit)
        for identifier, before in self._register.touched.items():
            self._facts += facts_of_job(before, self.jobs[identifier])
            self.earnings.note_job(before, self.jobs[identifier])
        if commit.closes:
            self._facts.append(self.earnings.close(self._began[0], self._position))
            self._began = (self._position, self._began[0])
            self._punishment.close(self.ledger_time_ms)
            self._facts += self.epochs.elect(commit)
        self.digest = self._entries.seal()
        if commit.closes:
            self._facts += self.epochs.close(commit, self.digest)
        return tuple(self._facts)

    def _circumstances(self) -> Circumstances:
        return Circumstances(
            self.parameters,
            self._position,
            self.accounts.of,
            self.reputation_of,
            self.is_up,
            self._register.workforce.of,
            self._register.spans.of,
        )

    def _enter(self, entry: VerifiedOperation) -> None:
        """Gives one operation its effect, or a receipt that says why it has none."""
        operation = entry.operation
        account = operation.account
        obstacle = self._obstacle(entry)
        if obstacle is not None:
            self._facts.append(OperationFailed(entry.identifier, account, obstacle, ""))
            return
        self.accounts.advance_nonce(account)
        try:
            decision = self._decide(account, operation.payload, JobId(entry.identifier))
            self.accounts.apply(decision.movements)
        except Rejected as refusal:
            self._charge(account)
            self._facts.append(
                OperationFailed(entry.identifier, account, refusal.reason, refusal.detail)
            )
            return
        if decision.change is not None:
            self._write(decision.change)
        self._facts.append(OperationApplied(entry.identifier, account))
        if isinstance(operation.payload, EpochPayload):
            self._facts += self.epochs.enter(account, operation.payload)
        if decision.contradiction is not None:
            self._punish(decision.contradiction, account)

    def _obstacle(self, entry: VerifiedOperation) -> Reason | None:
        """Why an operation does not even use up its place in the account's chain."""
        operation = entry.operation
        expected = self.next_nonce(operation.account)
        if expected is None:
            return Reason.UNKNOWN_ACCOUNT
        if operation.nonce < expected:
            return Reason.STALE_NONCE
        if operation.nonce > expected:
            return Reason.NONCE_GAP
        return Reason.EXPIRED if operation.last_epoch < self.committee.epoch else None

    def _decide(self, account: AccountId, payload: Payload, identifier: JobId) -> _Decision:
        """Finds what an operation does, its fee included."""
        decision = self._rule(account, payload, identifier)
        free = lifecycle.FreePayload | EpochPayload | EquivocationEvidence
        if not isinstance(payload, free):
            fee = fees.fee_of(account, self.parameters)
            return _Decision((fee, *decision.movements), decision.change)
        return decision

    def _rule(self, account: AccountId, payload: Payload, identifier: JobId) -> _Decision:
        parameters = self.parameters
        if isinstance(payload, messages.MoneyPayload):
            check, now_ms = self.epochs.check_withdrawal, self.ledger_time_ms
            treasury = payments.Treasury(self.accounts, now_ms, parameters, check)
            return _Decision(payments.decide(account, payload, treasury))
        match payload:
            case Offer():
                return _of(open_job(identifier, account, payload, self._position, parameters))
            case EquivocationEvidence():
                return _Decision((), contradiction=self._punishment.check(payload))
            case messages.Registration() | messages.Lease() | messages.EpochAttestation():
                self.epochs.check(account, payload)
                return _Decision(())
            case _:
                job = self.jobs.get(payload.job)
                if job is None:
                    raise Rejected(Reason.UNKNOWN_JOB)
                return _of(lifecycle.decide(job, account, payload, self._circumstances()))

    def _charge(self, account: AccountId) -> None:
        """Burns the fee of an operation that failed, free or not, as far as it can be paid."""
        owned, parameters = self.accounts.of(account), self.parameters
        self.accounts.apply(fees.fee_of_failure(account, owned, parameters))

    def _drive(self, change: Change) -> None:
        """Makes a change that the ledger's own progress brings; it cannot fail."""
        try:
            self.accounts.apply(change.movements)
        except Rejected as refusal:
            raise AssertionError(f"a rule moved what is not there: {refusal}") from refusal
        self._write(change)

    def _write(self, change: Change) -> None:
        """Takes over what a rule made of a job; its movements are already made."""
        self._register.write(change.job)
        for account, reputation in change.reputations:
            self._reputations.set(account, reputation)

    def _punish(self, contradiction: Contradiction, reporter: AccountId | None) -> None:
        now_ms = self.ledger_time_ms
        self._facts += self._punishment.punish(contradiction, reporter, now_ms)

    def _sections(self) -> tuple[AnySection, ...]:
        """Says where everything is that later results depend on."""
        accounts, register, presence = self.accounts, self._register, self.earnings.attendance
        return (
            single(HEADER, self._header, self._load_header),
            Section(ACCOUNT, accounts.items, accounts.take_changes, accounts.load),
            Section(ESCROW, accounts.escrows, accounts.take_escrow_changes, accounts.load_escrow),
            single(RESERVES, lambda: accounts.reserves, accounts.load_reserves),
            Section(JOB, self.jobs.items, register.take_changes, register.load),
            self._reputations.section(REPUTATION),
            single(PENALTIES, self._punishment.record, self._punishment.load),
            single(EPOCHS, self.epochs.record, self.epochs.load),
            single(ACTIVITY, self.epochs.activity, self.epochs.load_activity),
            self.epochs.registered,
            Section(UPTIME, presence.items, presence.take_changes, presence.load),
        )

    def _header(self) -> Header:
        return Header(FORMAT, self._network, self._position, self._began)

    def _load_header(self, header: Header) -> None:
        if (header.format, header.network) != (FORMAT, self._network):
            raise Rejected(Reason.WRONG_NETWORK, "a state of another network or format")
        self._position, self._began = header.position, header.began


def _of(change: Change) -> _Decision:
    return _Decision(change.movements, change)
