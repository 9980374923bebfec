"""A job's record: its phases with the one transition table, and everything a receipt shows.

All values; the rules of the phases return new ones. A record holds its own evidence (bids, the draw
with its weights and seed, commitments, reveals, groups, payments), so that anyone can retrace it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Final

from protocol.balances import NOTHING, Account, Movement
from protocol.economy.reputation import Reputation
from protocol.job.dispute import Dispute
from protocol.job.position import Position
from protocol.job.transcript import Audit, Delivery, Draw, PassedOver
from protocol.messages import Offer, Reveal
from protocol.parameters import Parameters
from protocol.units import (
    AccountId,
    BasisPoints,
    CommitIndex,
    Credits,
    Digest,
    JobId,
    Milliseconds,
    Round,
)


class Phase(Enum):
    """Where a job stands."""

    BIDDING = "bidding"
    DRAWING = "drawing"
    EXECUTING = "executing"
    SAMPLING = "sampling"
    AUDITING = "auditing"
    COMPARING = "comparing"
    SUMMONING = "summoning"
    JUDGING = "judging"
    REVEALING = "revealing"
    DISPUTING = "disputing"
    SETTLED = "settled"
    INCONCLUSIVE = "inconclusive"
    REFUNDED = "refunded"


TRANSITIONS: Final[Mapping[Phase, frozenset[Phase]]] = MappingProxyType(
    {
        Phase.BIDDING: frozenset({Phase.DRAWING, Phase.REFUNDED}),
        Phase.DRAWING: frozenset({Phase.EXECUTING, Phase.REFUNDED}),
        Phase.EXECUTING: frozenset({Phase.SAMPLING, Phase.COMPARING, Phase.REFUNDED}),
        Phase.SAMPLING: frozenset({Phase.AUDITING, Phase.COMPARING}),
        Phase.AUDITING: frozenset({Phase.COMPARING}),
        Phase.COMPARING: frozenset({Phase.EXECUTING, Phase.SUMMONING, Phase.REVEALING}),
        Phase.SUMMONING: frozenset({Phase.JUDGING, Phase.REVEALING}),
        Phase.JUDGING: frozenset({Phase.COMPARING, Phase.REVEALING}),
        Phase.REVEALING: frozenset(
            {
                Phase.EXECUTING,
                Phase.DISPUTING,
                Phase.SUMMONING,
                Phase.SETTLED,
                Phase.INCONCLUSIVE,
            }
        ),
        Phase.DISPUTING: frozenset({Phase.SUMMONING, Phase.SETTLED, Phase.INCONCLUSIVE}),
        Phase.SETTLED: frozenset(),
        Phase.INCONCLUSIVE: frozenset(),
        Phase.REFUNDED: frozenset(),
    }
)
"""The one table of what may follow what; a phase that nothing follows is an end."""


class Ending(Enum):
    """Why a job ended as it did; the value is the sentence shown to people."""

    ACCEPTED = "a result reached the tolerated error"
    UNFINISHED = "the executors agree that the run does not finish"
    EXHAUSTED = "no result reached the tolerated error with all the executors allowed"
    NO_BIDS = "nobody bid before the close"
    NO_ELIGIBLE_BID = "no bidder could be drawn"
    UNREACHABLE = "too few bidders, or they cannot reach the tolerated error"
    CANCELLED = "the requester withdrew the offer"
    UNAVAILABLE = "the executors could not fetch the artefact or an input"
    UNDELIVERED = "a result was accepted, but drawn checkers could not fetch it: nobody is paid"
    EXPIRED = "no executor committed to a result before its deadline"


class ResultOutcome(Enum):
    """How a run ended, as its executor reveals it."""

    FINISHED = 0
    TIME_LIMIT = 1
    MEMORY_LIMIT = 2
    FUEL_LIMIT = 3
    OUTPUT_LIMIT = 4
    FAILED = 5


class Duty(Enum):
    """Why an account runs a job."""

    EXECUTOR = "executor"
    AUDITOR = "auditor"
    JUROR = "juror"
    STEP_JUROR = "step_juror"
    """Runs the one step that a dispute came down to, and not the job."""


class Status(Enum):
    """How far a drawn account is with its duty."""

    RUNNING = "running"
    DECLINED = "declined"
    MISSED = "missed"
    COMMITTED = "committed"
    REVEALED = "revealed"
    UNOPENED = "unopened"
    LATE = "late"
    FORFEITED = "forfeited"
    RELEASED = "released"
    REFUTED = "refuted"
    """Its result lost a dispute."""


class Payment(Enum):
    """Why an account is paid from a job's escrow."""

    RESULT = "result"
    AUDIT = "audit"
    JURY = "jury"
    HALF = "half"


class Fault(Enum):
    """Why an account lost stake."""

    WRONG_RESULT = "wrong_result"
    UNOPENED_COMMITMENT = "unopened_commitment"
    EQUIVOCATION = "equivocation"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a rule may look at beside the job itself."""

    parameters: Parameters
    position: Position
    account_of: Callable[[AccountId], Account]
    reputation_of: Callable[[AccountId], Reputation]
    is_up: Callable[[AccountId], bool]
    """Whether an account was there nearly all the time."""
    workers_of: Callable[[Offer, str | None], tuple[AccountId, ...]]
    """Who works on such offers, on one device class or on any that the offer takes."""
    spans_of: Callable[[str, str], tuple[Milliseconds, ...]]
    """What the latest settled jobs of a kind took on a device class, from draw to commitment."""


@dataclass(frozen=True, slots=True)
class PlacedBid:
    """A bid that counts."""

    account: AccountId
    price: Credits
    """Millionths of a credit per second."""
    device: str
    estimate_ms: Milliseconds
    sandbox_level: int


@dataclass(frozen=True, slots=True)
class Executor:
    """An account drawn to run the job, or to run it again as an auditor or juror."""

    account: AccountId
    duty: Duty
    price: Credits
    device: str
    estimate_ms: Milliseconds
    exposure: Credits
    """Stake pledged for this job when it was drawn."""
    checks: int
    """Its cross-checks passed when it was drawn: what its result weighs."""
    called_ms: Milliseconds
    """Ledger time of its draw."""
    deadline_ms: Milliseconds
    """Ledger time by which it must have committed."""
    status: Status = Status.RUNNING
    unavailable: bool = False
    """It declined because the artefact or an input could not be fetched."""
    commitment: Digest | None = None
    committed_ms: Milliseconds | None = None
    """Ledger time of its commitment."""
    fingerprint: Digest | None = None
    """Equal to that of everybody who found the same; its reveal must match it."""
    forfeit_ms: Milliseconds | None = None
    """Ledger time at which an unopened commitment forfeits the pledge."""
    reveal: Reveal | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Workers that found the same."""

    outcome: ResultOutcome
    output: Digest
    members: tuple[AccountId, ...]
    confidence_bp: BasisPoints
    """Chance that this result is right, rounded down."""


@dataclass(frozen=True, slots=True)
class Payout:
    """A payment from the job's escrow."""

    account: AccountId
    amount: Credits
    reason: Payment


@dataclass(frozen=True, slots=True)
class Slash:
    """Stake that an account lost through this job."""

    account: AccountId
    amount: Credits
    reason: Fault


@dataclass(frozen=True, slots=True)
class Milestone:
    """When the job entered a phase."""

    phase: Phase
    leader_round: Round
    time_ms: Milliseconds


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that the ledger knows of a job."""

    identifier: JobId
    requester: AccountId
    offer: Offer
    opened_index: CommitIndex
    phase: Phase
    timeline: tuple[Milestone, ...]
    round_awaited: Round | None
    """The first commit with at least this leader round closes bids or starts a beacon's count."""
    index_awaited: CommitIndex | None = None
    """The commit whose beacon decides a draw or an audit."""
    bids: tuple[PlacedBid, ...] = ()
    draw: Draw | None = None
    executors: tuple[Executor, ...] = ()
    """Everyone called so far, auditors and jurors included, in the order of calling."""
    spares: tuple[AccountId, ...] = ()
    """Who is called next when an executor fails or the result needs more weight."""
    passed_over: tuple[PassedOver, ...] = ()
    """Spares that could not be called when their turn came."""
    wanted: int = 0
    """Executors that the draw called at first."""
    audit: Audit | None = None
    jury: Draw | None = None
    """The workers from outside the job who could be called to judge it; drawn once at most."""
    disputes: tuple[Dispute, ...] = ()
    """Of a job made of steps, between two results each; the last one may be open."""
    window_end_ms: Milliseconds | None = None
    """Ledger time at which the wait for fingerprints, or for reveals, ends."""
    groups: tuple[Group, ...] = ()
    """Results by falling weight, as last judged."""
    convicting: bool = False
    """Whether a result that contradicts the accepted one proves its author a liar."""
    ending: Ending | None = None
    ended_ms: Milliseconds | None = None
    """Ledger time of the end."""
    payouts: tuple[Payout, ...] = ()
    slashes: tuple[Slash, ...] = ()
    fee: Credits = NOTHING
    refund: Credits = NOTHING
    delivery: Delivery | None = None
    """Set where payouts wait until nobody doubts that the output can be had."""

    @property
    def delivering(self) -> bool:
        """Whether payouts still wait in the escrow of this ended job."""
        return self.delivery is not None and not self.delivery.is_over

    @property
    def terminal(self) -> bool:
        """Whether the job has ended; only unopened commitments can still matter."""
        return not TRANSITIONS[self.phase]

    @property
    def unsealed(self) -> bool:
        """Whether results are public, or could be."""
        return self.terminal or any(step.phase is Phase.REVEALING for step in self.timeline)

    @property
    def accepted(self) -> Group | None:
        """The result that the job was settled on."""
        return self.groups[0] if self.phase is Phase.SETTLED else None

    @property
    def confidence_bp(self) -> BasisPoints | None:
        """Chance that the best result is right; None before the first judgement."""
        return self.groups[0].confidence_bp if self.groups else None

    @property
    def deadline_ms(self) -> Milliseconds | None:
        """Ledger time at which something happens to this job by itself."""
        times = [each.deadline_ms for each in self.executors if each.status is Status.RUNNING]
        times += [
            each.forfeit_ms
            for each in self.executors
            if each.status is Status.UNOPENED and each.forfeit_ms is not None
        ]
        if self.phase is Phase.DISPUTING:
            times.append(self.disputes[-1].deadline_ms)
        if self.window_end_ms is not None:
            times.append(self.window_end_ms)
        if self.delivery is not None and self.delivering and self.delivery.until_ms is not None:
            times.append(self.delivery.until_ms)
        return min(times, default=None)

    @property
    def concluded_ms(self) -> Milliseconds | None:
        """Ledger time of the end; None while a commitment is unopened or payouts wait."""
        return None if self.delivering or self.having(Status.UNOPENED) else self.ended_ms

    def executor(self, account: AccountId) -> Executor | None:
        """The duty of this account in this job."""
        return next((each for each in self.executors if each.account == account), None)

    def bid_of(self, account: AccountId) -> PlacedBid | None:
        """The bid of this account."""
        return next((bid for bid in self.bids if bid.account == account), None)

    def having(self, *statuses: Status) -> tuple[Executor, ...]:
        """Everyone called who is in one of these statuses."""
        return tuple(each for each in self.executors if each.status in statuses)

    def with_executor(self, changed: Executor) -> "Job":
        """This job with one duty replaced."""
        executors = tuple(
            changed if each.account == changed.account else each for each in self.executors
        )
        return replace(self, executors=executors)

    def advanced(self, phase: Phase, position: Position) -> "Job":
        """This job in its next phase."""
        assert phase in TRANSITIONS[self.phase], f"{self.phase} is not followed by {phase}"
        milestone = Milestone(phase, position.leader_round, position.time_ms)
        return replace(
            self,
            phase=phase,
            timeline=(*self.timeline, milestone),
            round_awaited=None,
            index_awaited=None,
            window_end_ms=None,
            ended_ms=None if TRANSITIONS[phase] else position.ledger_ms,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What a rule decided: the job as it becomes, and everything that changes with it."""

    job: Job
    movements: tuple[Movement, ...] = ()
    reputations: tuple[tuple[AccountId, Reputation], ...] = ()
    """Records that change; for one account the last counts."""

    def followed_by(self, later: "Change") -> "Change":
        """This change and then another, made of the job that this one leaves."""
        return Change(
            later.job,
            (*self.movements, *later.movements),
            (*self.reputations, *later.reputations),
        )
