"""Who is called to run a job: the drawn in their order, spares for those who fail, an auditor.

Whoever is called pledges stake for the job and gets a deadline of its own.
"""

from dataclasses import replace

from protocol.balances import Pledge
from protocol.economy.reputation import odds
from protocol.economy.rewards import paid_limit_ms
from protocol.job.bidding import exposure_of, obstacle_to, terms_of
from protocol.job.crosscheck import Balance, spares_needed
from protocol.job.deadlines import allowed_ms
from protocol.job.record import Change, Circumstances, Duty, Executor, Job, Status
from protocol.job.transcript import PassedOver
from protocol.units import AccountId, Milliseconds

ACTIVE = (Status.RUNNING, Status.COMMITTED, Status.REVEALED)


def call(job: Job, account: AccountId, duty: Duty, circumstances: Circumstances) -> Change:
    """Calls a worker: from now on its deadline runs and its pledge is locked."""
    bid = terms_of(job, account, circumstances)
    parameters = circumstances.parameters
    now_ms = circumstances.position.ledger_ms
    spans = circumstances.spans_of(job.offer.kind, bid.device)
    due_ms = now_ms + allowed_ms(job.offer, spans) + parameters.commitment_grace_ms
    exposure = exposure_of(bid.price, paid_limit_ms(job.offer, parameters), parameters)
    executor = Executor(
        account=account,
        duty=duty,
        price=bid.price,
        device=bid.device,
        estimate_ms=bid.estimate_ms,
        exposure=exposure,
        checks=circumstances.reputation_of(account).checks,
        called_ms=now_ms,
        deadline_ms=Milliseconds(due_ms),
    )
    called = replace(job, executors=(*job.executors, executor))
    return Change(called, (Pledge(account, job.identifier, exposure),))


def call_spares(job: Job, circumstances: Circumstances) -> Change:
    """Calls spares in the drawn order until as many run or have run as are wanted."""
    change = Change(job)
    while change.job.spares and active(change.job) < job.wanted:
        account, *rest = change.job.spares
        left = replace(change.job, spares=tuple(rest))
        obstacle = obstacle_to(job, terms_of(job, account, circumstances), circumstances)
        if obstacle is None:
            change = change.followed_by(call(left, account, Duty.EXECUTOR, circumstances))
        else:
            skipped = (*left.passed_over, PassedOver(account, obstacle))
            change = replace(change, job=replace(left, passed_over=skipped))
    return change


def active(job: Job) -> int:
    """Counts the executors that run or have run, without auditors."""
    return sum(executor.duty is Duty.EXECUTOR for executor in job.having(*ACTIVE))


def spares_wanted(job: Job, balance: Balance, circumstances: Circumstances) -> int | None:
    """Counts how many spares that can be called now could make the best result acceptable.

    Returns:
        The smallest number; None when all that the offer still allows would not suffice.
    """
    room = max(0, job.offer.replicas_max - active(job))
    able = [
        account
        for account in job.spares
        if obstacle_to(job, terms_of(job, account, circumstances), circumstances) is None
    ]
    weights = [
        odds(circumstances.reputation_of(account).checks, circumstances.parameters)
        for account in able[:room]
    ]
    return spares_needed(balance, weights, job.offer.tolerated_error_ppm)
