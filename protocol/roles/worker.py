"""A worker's part: bid, run what it is drawn for, commit, send the fingerprint, then reveal.

Auditors and jurors are workers drawn later, with the same duties, also for jobs that they never
bid for. Everything is decided by looking at the
final state again after each commit, so a restart needs no memory but the prepared reveals.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import get_args

from protocol import effects as fx
from protocol import events as ev
from protocol.acceptance import price_of, refusal
from protocol.claims import Unavailable
from protocol.economy.rewards import paid_limit_ms
from protocol.encoding import decode
from protocol.facts import JobAdvanced, JobChanged, StateFact
from protocol.job import trial
from protocol.job.bidding import exposure_of
from protocol.job.commit_reveal import (
    commitment_digest,
    fingerprint_digest,
    fingerprint_due,
    reveal_due,
)
from protocol.job.delivery import is_asked, may_claim
from protocol.job.record import Duty, Executor, Job, Phase, Status
from protocol.job.stepped import is_of_one_class
from protocol.messages import (
    OPERATION_BYTES_MAX,
    Bid,
    Commitment,
    Decline,
    Fingerprint,
    Payload,
    Reveal,
)
from protocol.state import State
from protocol.step_messages import StepPair
from protocol.units import AccountId, CommitIndex, Credits, JobId

Own = Bid | Decline | Commitment | Fingerprint | Reveal | Unavailable
"""What a worker sends, each once for each job."""

BIDS_EACH = 16
"""Open bids for each job that can run at the same time: most bids are not drawn."""

CONTENT_BYTES_MAX = 512 * 1024 * 1024
"""Artefact and inputs of one job, which a node holds in memory before it runs it."""

WAITING_MAX = 1_000
"""Jobs remembered that there was no room to bid for."""

BOUND = (Status.COMMITTED, Status.UNOPENED)
"""An account in one of these has a commitment that it may still have to open."""


@dataclass(slots=True)
class Answer:
    """What a worker does about what became final."""

    effects: list[fx.Effect] = field(default_factory=list)
    operations: list[Payload] = field(default_factory=list)


# Stands until the operator's choice is known; nothing is run, and nothing declined, before.
NO_WORK = ev.WorkerOffered(frozenset(), frozenset(), 0, frozenset(), 0, 0)


class Worker:
    """Decides for one account; signs and sends nothing itself."""

    def __init__(self, account: AccountId, state: State) -> None:
        self._account = account
        self._state = state
        self._offered = NO_WORK
        self._sent: dict[tuple[JobId, type], None] = {}
        self._running: dict[JobId, None] = {}
        self._reveals: dict[JobId, Reveal] = {}
        self._followed: dict[JobId, None] = {}
        self._waiting: dict[JobId, None] = {}
        self._remembered = ev.NO_COMMIT
        """Up to here this account knew the ledger once: a job that is missing before may come."""
        self._testified: dict[JobId, tuple[int, int]] = {}

    def offer(self, offered: ev.WorkerOffered) -> None:
        """Takes in what the operator allows from now on."""
        self._offered = offered

    def restore(
        self,
        reveals: Sequence[bytes],
        pending: Sequence[Payload],
        final_index: CommitIndex = ev.NO_COMMIT,
    ) -> None:
        """Takes in what was prepared and sent before a restart, and what was final then."""
        self._remembered = final_index
        for raw in reveals:
            reveal = decode(raw, Reveal, OPERATION_BYTES_MAX)
            self._reveals[reveal.job] = reveal
        for payload in pending:
            if isinstance(payload, Own):
                self._sent[payload.job, type(payload)] = None
            if isinstance(payload, StepPair):
                self._testified[payload.job] = (payload.dispute, payload.level)
        for identifier, job in self._state.jobs.items():
            own = job.executor(self._account)
            if job.terminal:  # what was committed is still to be opened, or it forfeits its pledge
                is_open = own is not None and own.status is Status.UNOPENED
                concerns = is_open or is_asked(job, self._account)
            else:
                concerns = own is not None or job.bid_of(self._account) is not None
            if concerns:
                self._followed[identifier] = None

    def react(self, facts: Sequence[StateFact]) -> Answer:
        """Looks at the jobs that moved, and at all that this account has to do with."""
        answer = Answer()
        if not facts:
            return answer
        for fact in facts:
            if not isinstance(fact, JobAdvanced | JobChanged):
                continue
            job = self._state.jobs.get(fact.job)
            if job is not None and job.phase is Phase.BIDDING and isinstance(fact, JobAdvanced):
                self._consider(job, answer)
            elif job is not None and self._has_duty(job):
                self._followed[job.identifier] = None  # also one that is to be checked, not bid for
        for identifier in list(self._followed):
            followed = self._state.jobs.get(identifier)
            if followed is None:  # it ended long ago, in a part of history that was skipped
                del self._followed[identifier]
            else:
                self._follow(followed, answer)
        self._reconsider(answer)
        return answer

    def _has_duty(self, job: Job) -> bool:
        if job.terminal:
            return is_asked(job, self._account)
        return job.executor(self._account) is not None

    def refused(self, payload: Payload) -> None:
        """Takes note that an operation could not be signed: it is asked for again later."""
        if isinstance(payload, StepPair):
            self._testified.pop(payload.job, None)
        if isinstance(payload, Own):
            self._sent.pop((payload.job, type(payload)), None)
            if isinstance(payload, Bid):
                self._followed.pop(payload.job, None)
                self._wait_with(payload.job)

    def ended(
        self,
        event: ev.ExecutionEvent,
        salt_of: Callable[[JobId], bytes],
    ) -> tuple[tuple[Reveal | None, Payload], ...]:
        """Turns the end of a run into operations, each with the reveal to keep before it."""
        if isinstance(event, ev.TraceOpened):
            return ((None, event.pair),)
        self._running.pop(event.job, None)
        job = self._state.jobs.get(event.job)
        own = job.executor(self._account) if job is not None else None
        if job is not None and job.terminal and isinstance(event, ev.ExecutionImpossible):
            return self._undelivered(job)
        if job is None or own is None or own.status is not Status.RUNNING or job.terminal:
            return ()
        if isinstance(event, ev.ExecutionImpossible):
            return ((None, self._once(Decline(event.job, event.unavailable))),)
        reveal = Reveal(
            job=event.job,
            outcome=event.outcome,
            output=event.output,
            elapsed_ms=event.elapsed_ms,
            fuel=event.fuel,
            salt=salt_of(event.job),
            trace=event.trace,
        )
        self._reveals[event.job] = reveal
        commitment = Commitment(event.job, commitment_digest(self._account, reveal))
        return ((reveal, self._once(commitment)),)

    def spent(self) -> tuple[JobId, ...]:
        """Names, once each, the jobs that are over for good and whose reveals were kept."""
        over = tuple(job for job in self._reveals if self._is_over(job))
        for job in over:
            del self._reveals[job]
        return over

    def _is_over(self, identifier: JobId) -> bool:
        """Whether no later state can ask for the reveal of a job."""
        job = self._state.jobs.get(identifier)
        if job is None:
            return self._state.index >= self._remembered
        own = job.executor(self._account)
        return job.terminal and (own is None or own.status not in BOUND)

    def _undelivered(self, job: Job) -> tuple[tuple[None, Payload], ...]:
        """Says that an accepted output could not be fetched, where that is for this node to say."""
        may_say = is_asked(job, self._account) or may_claim(job, self._account)
        if not may_say or (job.identifier, Unavailable) in self._sent:
            return ()
        return ((None, self._once(Unavailable(job.identifier))),)

    def _consider(self, job: Job, answer: Answer) -> None:
        """Bids for a job, or says why not."""
        if job.requester == self._account or (job.identifier, Bid) in self._sent:
            return
        if job.phase is not Phase.BIDDING:
            return
        if not self._has_room():
            self._wait_with(job.identifier)
        obstacle = self._obstacle(job)
        if obstacle:
            if self._offered.parallel:
                answer.effects.append(fx.Report(fx.NotBidding(job.identifier, obstacle)))
            return
        self._followed[job.identifier] = None
        bid = Bid(
            job=job.identifier,
            price=price_of(self._offered, job.offer.kind),
            device=self._device_for(job),
            estimate_ms=paid_limit_ms(job.offer, self._state.parameters),
            sandbox_level=self._offered.sandbox_level,
        )
        answer.operations.append(self._once(bid))
        answer.effects.append(fx.FetchContent(job.identifier, job.offer, job.requester))

    def _reconsider(self, answer: Answer) -> None:
        """Bids for jobs that there was no room for before, while their bidding is open."""
        for identifier in list(self._waiting):
            job = self._state.jobs.get(identifier)
            is_open = job is not None and job.phase is Phase.BIDDING
            if not is_open or self._has_room():
                del self._waiting[identifier]
            if job is not None and is_open and self._has_room():
                self._consider(job, answer)

    def _has_room(self) -> bool:
        return len(self._followed) < self._offered.parallel * BIDS_EACH

    def _wait_with(self, identifier: JobId) -> None:
        if len(self._waiting) < WAITING_MAX:
            self._waiting[identifier] = None

    def _obstacle(self, job: Job) -> str:
        """Why this account does not bid; empty when it does."""
        return self._obstacle_in_offer(job) or self._obstacle_in_stake(job)

    def _obstacle_in_offer(self, job: Job) -> str:
        """What this node will not or cannot run."""
        if not self._has_room():
            return "this node has as many bids open as it can serve"
        is_dear = price_of(self._offered, job.offer.kind) > job.offer.price_cap
        return self._unfit(job) or ("this node's price is above the offer's cap" if is_dear else "")

    def _unfit(self, job: Job) -> str:
        """What of a job this node will not or cannot run; empty when it can."""
        offer = job.offer
        if obstacle := refusal(self._offered, offer, job.requester):
            return obstacle
        if not self._device_for(job):
            return f"this node has no device of the class {offer.device!r}"
        if offer.size_bytes > CONTENT_BYTES_MAX:
            return f"this node takes no content of more than {CONTENT_BYTES_MAX >> 20} MiB"
        return ""

    def _declines(self, job: Job, own: Executor) -> bool:
        """Whether a duty is one that this node will not or cannot do.

        The operator may have changed its mind since the bid. And checkers are drawn without one:
        at the price cap, and where results depend on it, for the device class of earlier bids.
        """
        price = price_of(self._offered, job.offer.kind)
        is_dear = job.bid_of(self._account) is None and price > job.offer.price_cap
        is_exact = is_of_one_class(job.offer.result_class)
        return (
            bool(self._unfit(job)) or is_dear or (is_exact and self._device_for(job) != own.device)
        )

    def _obstacle_in_stake(self, job: Job) -> str:
        """What this account's stake does not allow."""
        parameters = self._state.parameters
        if self._account not in self._state.accounts:
            return "this account does not exist yet: it has never been funded"
        account = self._state.accounts.of(self._account)
        if account.staked < parameters.stake_minimum:
            return "this account has staked less than the network's minimum"
        limit = paid_limit_ms(job.offer, parameters)
        price = Credits(price_of(self._offered, job.offer.kind))
        if account.free_stake < exposure_of(price, limit, parameters):
            return "this account's free stake does not cover the job's exposure"
        return ""

    def _device_for(self, job: Job) -> str:
        """Names the device class to bid with: in full only where results depend on it."""
        own = dict(self._offered.classes).get(job.offer.kind)
        for device in sorted(self._offered.devices) if own is None else (own,):
            kind = device.partition("/")[0]
            if job.offer.device in ("any", kind):
                return device if is_of_one_class(job.offer.result_class) else kind
        return ""

    def _follow(self, job: Job, answer: Answer) -> None:
        """Does what is due for a job that this account has bid for."""
        identifier = job.identifier
        own = job.executor(self._account)
        if is_asked(job, self._account):
            self._check(job, answer)
            return
        self._testify(job, answer)
        if own is not None and own.status in BOUND:
            self._answer(job, own, answer)
            return
        if job.terminal or (own is not None and own.status is not Status.RUNNING):
            self._leave(job, answer)
            return
        if own is None or identifier in self._running or self._offered is NO_WORK:
            return
        if (identifier, Decline) in self._sent:
            return  # this node has given up; the job goes on without it once that is final
        reveal = self._reveals.get(identifier)
        if reveal is None and self._declines(job, own):  # saying so costs nothing
            answer.operations.append(self._once(Decline(identifier, unavailable=False)))
        elif reveal is None:
            self._running[identifier] = None
            order = _order_of(job, own)
            answer.effects.append(fx.Execute(identifier, job.offer, job.requester, order))
        elif (identifier, Commitment) not in self._sent:
            digest = commitment_digest(self._account, reveal)
            answer.operations.append(self._once(Commitment(identifier, digest)))

    def _check(self, job: Job, answer: Answer) -> None:
        """Tries to fetch the output that a requester says it cannot have."""
        identifier, accepted = job.identifier, job.groups[0]
        if identifier not in self._running and (identifier, Unavailable) not in self._sent:
            self._running[identifier] = None
            fetch = fx.FetchOutput(identifier, accepted.output, accepted.members)
            answer.effects.append(fetch)

    def _testify(self, job: Job, answer: Answer) -> None:
        """Opens the trace of the own run where a dispute asks for it, and helps its jury."""
        terms = (job.identifier, job.offer, job.requester)
        question, step = trial.question_to(job, self._account), trial.step_in_question(job)
        due: fx.Effect | None = None
        if question is not None:
            asked = (question.dispute, question.level)
            due = fx.OpenTrace(*terms, question)
        elif step is not None and step.index and self._account in trial.holders_of(job):
            asked = (len(job.disputes) - 1, job.disputes[-1].level)
            due = fx.KeepStep(*terms, step.index)
        if due is not None and self._testified.get(job.identifier) != asked:
            self._testified[job.identifier] = asked
            answer.effects.append(due)

    def _answer(self, job: Job, own: Executor, answer: Answer) -> None:
        """Sends the fingerprint, and later the reveal, as soon as neither can help a copier."""
        reveal = self._reveals.get(job.identifier)
        if reveal is None:
            return
        if fingerprint_due(job, own) and (job.identifier, Fingerprint) not in self._sent:
            fingerprint = Fingerprint(job.identifier, fingerprint_digest(reveal))
            answer.operations.append(self._once(fingerprint))
        if reveal_due(job, own) and (job.identifier, Reveal) not in self._sent:
            answer.operations.append(self._once(reveal))

    def _leave(self, job: Job, answer: Answer) -> None:
        if job.identifier in self._running:
            del self._running[job.identifier]
            answer.effects.append(fx.StopExecution(job.identifier))
        if job.terminal:
            del self._followed[job.identifier]
            self._testified.pop(job.identifier, None)
            for kind in get_args(Own):
                self._sent.pop((job.identifier, kind), None)

    def _once(self, payload: Own) -> Payload:
        self._sent[payload.job, type(payload)] = None
        return payload


def _order_of(job: Job, own: Executor) -> fx.StepOrder | None:
    """Says which step a juror of a dispute is to run; None for who runs the job."""
    step = trial.step_in_question(job)
    if step is None or own.duty is not Duty.STEP_JUROR:
        return None
    return fx.StepOrder(step.index, step.given, trial.holders_of(job))
