"""Ordered operations become jobs and balances; the same commits give every node the same bytes.

The state owns everything that changes, and changes only in `apply`. A commit is worked through in
one order: positions that jobs awaited (close, draw, audit), contradictions that the ledger itself
shows, operations, then deadlines. Nothing here costs time in proportion to the whole state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol import messages
from protocol.accounts import Accounts
from protocol.balances import Movement
from protocol.economy import fees, payments
from protocol.economy.emission import close_step
from protocol.economy.reputation import NEWCOMER, Reputation, after_conviction
from protocol.economy.slashing import Contradiction, Penalties, equivocation_share, slash_stake
from protocol.economy.uptime import Attendance
from protocol.encoding import digest_of, encode
from protocol.errors import Reason, Rejected
from protocol.facts import (
    JobAdvanced,
    JobChanged,
    OperationApplied,
    OperationFailed,
    Settled,
    Slashed,
    StateFact,
)
from protocol.job import lifecycle
from protocol.job.agenda import Agenda
from protocol.job.offer import open_job
from protocol.job.position import following, origin
from protocol.job.record import Change, Circumstances, Fault, Job, Phase
from protocol.ledger.committee import Committee
from protocol.ledger.evidence import check_evidence
from protocol.ledger.ordering import Commit
from protocol.messages import EquivocationEvidence, Genesis, Payload, VerifiedOperation, network_of
from protocol.signing import Scheme
from protocol.units import (
    AccountId,
    CommitIndex,
    Digest,
    JobId,
    Milliseconds,
    Nonce,
    Round,
    Weight,
)

NEAR_ROUNDS: Final = 12
"""A deadline this many of the shortest rounds away keeps the ledger at full pace."""
WAITING: Final = (Phase.BIDDING, Phase.DRAWING, Phase.SAMPLING, Phase.COMPARING, Phase.REVEALING)
"""Phases in which a job waits for the ledger and not for a run."""
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
        committee: The members whose blocks are ordered.
        accounts: All balances; read-only for everybody else.
        attendance: Who was there lately; read-only for everybody else.
        jobs: Every job by identifier.
        open_jobs: The jobs that have not ended.
        digest: Chained over every change; equal only where the same commits were applied.
    """

    def __init__(self, genesis: Genesis, committee: Committee, scheme: Scheme) -> None:
        self.parameters = genesis.parameters
        self.committee = committee
        self.accounts = Accounts(genesis)
        self.attendance = Attendance()
        self._scheme = scheme
        self._network = network_of(genesis)
        self._jobs: dict[JobId, Job] = {}
        self._open: dict[JobId, Job] = {}
        self.jobs: Mapping[JobId, Job] = MappingProxyType(self._jobs)
        self.open_jobs: Mapping[JobId, Job] = MappingProxyType(self._open)
        self._agenda = Agenda(self._jobs)
        self._waiting = 0
        self._reputations: dict[AccountId, Reputation] = {}
        self._penalties = Penalties()
        self._position = origin(Digest(genesis.seed))
        self._step_from = self._position
        self._facts: list[StateFact] = []
        self._touched: dict[JobId, Job | None] = {}
        self._touched_reputations: dict[AccountId, None] = {}
        self.digest = digest_of(b"state", self._network, encode(self.accounts.take_changes()))

    @property
    def index(self) -> CommitIndex:
        """Position of the last commit; 0 at genesis."""
        return self._position.index

    @property
    def leader_round(self) -> Round:
        """Round of the last committed leader."""
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
        if self._waiting:
            return True
        deadline_ms = self._agenda.next_deadline_ms()
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
        return self.attendance.is_up(account, self.parameters)

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
            self._position, commit.leader_round, commit.time_ms, commit.beacon, self.parameters
        )
        for job in self._agenda.due_by_round(commit.leader_round):
            self._drive(lifecycle.reach_round(job, self._circumstances()))
        for job in self._agenda.due_by_index(commit.index):
            self._drive(lifecycle.reach_index(job, self._circumstances()))
        for member, equivocation_round in commit.equivocations:
            self._punish(Contradiction(self.committee.epoch, member, equivocation_round), None)
        for entry in entries:
            if entry is not None:
                self._enter(entry)
        if self._position.judges:
            for job in self._agenda.due_by_deadline(self.ledger_time_ms):
                self._drive(lifecycle.pass_deadlines(job, self._circumstances()))
            self.accounts.mature(self.ledger_time_ms)
        members = self.committee.members
        self.attendance.count(members[one.block.author].account for one in commit.blocks)
        if self.ledger_time_ms - self._step_from.ledger_ms >= self.parameters.yield_step_ms:
            self._pay_yield()
        self._report_jobs()
        self._chain(commit)
        return tuple(self._facts)

    def _circumstances(self) -> Circumstances:
        return Circumstances(
            self.parameters, self._position, self.accounts.of, self.reputation_of, self.is_up
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
        if not isinstance(payload, lifecycle.FreePayload | EquivocationEvidence):
            fee = fees.fee_of(account, self.parameters)
            return _Decision((fee, *decision.movements), decision.change)
        return decision

    def _rule(self, account: AccountId, payload: Payload, identifier: JobId) -> _Decision:
        parameters = self.parameters
        if isinstance(payload, payments.MoneyPayload):
            return _Decision(payments.decide(account, payload, self._treasury()))
        match payload:
            case messages.Offer():
                return _of(open_job(identifier, account, payload, self._position, parameters))
            case EquivocationEvidence():
                return _Decision((), contradiction=self._checked(payload))
            case _:
                if payload.job not in self._jobs:
                    raise Rejected(Reason.UNKNOWN_JOB)
                job = self._jobs[payload.job]
                return _of(lifecycle.decide(job, account, payload, self._circumstances()))

    def _treasury(self) -> payments.Treasury:
        stake_behind = self.committee.stake_behind
        return payments.Treasury(self.accounts, stake_behind, self.ledger_time_ms, self.parameters)

    def _charge(self, account: AccountId) -> None:
        """Burns the fee of an operation that failed, free or not, as far as it can be paid."""
        owned, locked = self.accounts.of(account), self.committee.stake_behind(account)
        self.accounts.apply(fees.fee_of_failure(account, owned, locked, self.parameters))

    def _drive(self, change: Change) -> None:
        """Makes a change that the ledger's own progress brings; it cannot fail."""
        try:
            self.accounts.apply(change.movements)
        except Rejected as refusal:
            raise AssertionError(f"a rule moved what is not there: {refusal}") from refusal
        self._write(change)

    def _write(self, change: Change) -> None:
        """Takes over what a rule made of a job; its movements are already made."""
        job = change.job
        before = self._jobs.get(job.identifier)
        self._touched.setdefault(job.identifier, before)
        self._waiting += (job.phase in WAITING) - (before is not None and before.phase in WAITING)
        self._jobs[job.identifier] = job
        if job.terminal:
            self._open.pop(job.identifier, None)
        else:
            self._open[job.identifier] = job
        for account, reputation in change.reputations:
            self._set_reputation(account, reputation)
        self._agenda.note(before, job)

    def _set_reputation(self, account: AccountId, reputation: Reputation) -> None:
        self._reputations[account] = reputation
        self._touched_reputations[account] = None

    def _checked(self, evidence: EquivocationEvidence) -> Contradiction:
        """Opens evidence that an account brings.

        Raises:
            Rejected: `BAD_EVIDENCE` or `ALREADY_PUNISHED`.
        """
        found = check_evidence(evidence, self.committee, self._network, self._scheme)
        contradiction = Contradiction(self.committee.epoch, *found)
        if contradiction in self._penalties.punished:
            raise Rejected(Reason.ALREADY_PUNISHED)
        return contradiction

    def _punish(self, contradiction: Contradiction, reporter: AccountId | None) -> None:
        """Slashes a member for two blocks in one round, once for each epoch and round."""
        if contradiction in self._penalties.punished:
            return
        now_ms = self.ledger_time_ms
        self._penalties = self._penalties.including(contradiction, now_ms)
        since_ms = Milliseconds(now_ms - self.parameters.unbonding_ms)
        weights = self.committee.weights
        lately = sum(weights[member] for member in self._penalties.members_since(since_ms))
        share = equivocation_share(Weight(lately), self.committee.total, self.parameters)
        account = self.committee.members[contradiction.member].account
        owned = self.accounts.of(account)
        movements, amount = slash_stake(account, owned, share, reporter, self.parameters)
        self.accounts.apply(movements)
        self._set_reputation(account, after_conviction(self.reputation_of(account)))
        self._facts.append(Slashed(account, amount, Fault.EQUIVOCATION, None))

    def _pay_yield(self) -> None:
        """Pays stake for the time since the last step, and begins the next one."""
        elapsed_ms = Milliseconds(self.ledger_time_ms - self._step_from.ledger_ms)
        rounds = self.leader_round - self._step_from.leader_round
        emission = close_step(self.accounts, self.attendance, elapsed_ms, rounds, self.parameters)
        self._step_from = self._position
        self._facts.append(emission)

    def _report_jobs(self) -> None:
        """Reports what became of each job in this commit, in the order of the first change."""
        for identifier, before in self._touched.items():
            job = self._jobs[identifier]
            if before is None or before.phase is not job.phase:
                self._facts.append(JobAdvanced(identifier, job.phase))
            else:
                self._facts.append(JobChanged(identifier))
            known = len(before.slashes) if before is not None else 0
            for slash in job.slashes[known:]:
                self._facts.append(Slashed(slash.account, slash.amount, slash.reason, identifier))
            if job.terminal and (before is None or not before.terminal):
                self._facts.append(Settled(identifier))

    def _chain(self, commit: Commit) -> None:
        """Extends the digest by everything that this commit changed."""
        jobs = tuple(self._jobs[identifier] for identifier in sorted(self._touched))
        reputations = tuple(
            (account, self._reputations[account]) for account in sorted(self._touched_reputations)
        )
        economy = (self.accounts.yield_index, self.attendance.take_changes())
        changes = (self.ledger_time_ms, self.accounts.take_changes(), jobs, reputations, economy)
        self.digest = digest_of(b"state", self.digest, commit.digest, encode(changes))
        self._touched.clear()
        self._touched_reputations.clear()


def _of(change: Change) -> _Decision:
    return _Decision(change.movements, change)
