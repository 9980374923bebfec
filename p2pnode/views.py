"""What people and programs are shown of a core: plain mappings, ready for JSON.

Accounts and digests are lower-case hexadecimal, money is integer millionths of a credit.
"""

from collections.abc import Mapping
from typing import Final

from p2pnode.cautions import cautions_about
from p2pnode.dispute_views import dispute_view
from p2pnode.facts import plain
from protocol.balances import YIELD_SCALE, Account
from protocol.core import Core
from protocol.earnings import Payday
from protocol.economy.emission import rate_of
from protocol.job.record import Duty, Ending, Executor, Job, Milestone, ResultOutcome, Status
from protocol.job.transcript import Delivery, Draw
from protocol.messages import Offer, VerifiedOperation
from protocol.units import BASIS, CREDIT, AccountId, Credits, Digest, JobId

HOUR_MS: Final = 3_600_000

ABSENT = (Status.DECLINED, Status.MISSED)

UNFINISHED: Mapping[ResultOutcome, str] = {
    ResultOutcome.TIME_LIMIT: "reaches its time limit: raise `seconds` in [limits]",
    ResultOutcome.MEMORY_LIMIT: "reaches its memory limit: raise `memory_mib` in [limits]",
    ResultOutcome.FUEL_LIMIT: "uses up its fuel: raise `fuel` in [limits]",
    ResultOutcome.OUTPUT_LIMIT: "writes too much output: raise `output_kib` in [limits]",
    ResultOutcome.FAILED: "fails: check the artefact and the inputs",
}
"""Completes "the executors agree that the run ..." for each outcome without an output."""


def ledger_view(core: Core) -> dict[str, object]:
    """Where this node's ledger stands."""
    last = core.ledger.last_commit
    committee = core.ledger.committee
    return {
        "epoch": committee.epoch,
        "epoch_round": core.ledger.clock_round,
        "round": core.ledger.counted(core.ledger.clock_round),
        "final_index": core.state.index,
        "final_digest": last.digest.hex() if last else "",
        "final_leader_round": core.state.leader_round,
        "state_digest": core.state.digest.hex(),
        "checkpoint": _checkpoint(core),
        "ledger_time_ms": core.state.ledger_time_ms,
        "committee": len(committee.members),
        "quorum_weight": committee.quorum,
        "total_weight": committee.total,
        "warnings": list(cautions_about(core.state.committee)),
        "is_validator": core.validator is not None,
        "halted": core.halted,
        "pending_operations": len(core.pool),
        "blocks_in_memory": len(core.ledger.dag),
    }


def _checkpoint(core: Core) -> str:
    """The newest certified end of an epoch, as `--checkpoint` takes it; empty before the first."""
    certified = [one for one in core.state.epochs.closed if one.is_certified]
    return f"{certified[-1].boundary.epoch}:{certified[-1].digest.hex()}" if certified else ""


def account_view(core: Core, account: AccountId) -> dict[str, object]:
    """Balances of one account as of the last final commit; zeros for one that is unknown."""
    pending = len(core.pool.operations(account)) if account in core.state.accounts else 0
    base: dict[str, object] = {
        "account": account.hex(),
        "exists": account in core.state.accounts,
        "available": 0,
        "staked": 0,
        "pledged": 0,
        "free_stake": 0,
        "unbonding": [],
        "escrow": 0,
        "nonce": 0,
        "yield": {},
        "custody": None,
        "pending": pending,
        "conflicting_nonces": list(core.pool.conflicts(account)),
        "final": True,
    }
    if account not in core.state.accounts:
        return base
    held = core.state.accounts.of(account)
    return base | {
        "available": held.available,
        "staked": held.staked,
        "pledged": held.pledged,
        "free_stake": held.free_stake,
        "unbonding": [plain(_fields(entry)) for entry in held.unbonding],
        "escrow": held.escrow,
        "nonce": held.nonce,
        "yield": _yield_view(core, account, held),
        "custody": plain(_fields(held.custody)) if held.custody else None,
    }


def _yield_view(core: Core, account: AccountId, held: Account) -> dict[str, object]:
    """What an account's stake earns now, why it is that much, and what it has earned."""
    state, parameters = core.state, core.parameters
    accounts = state.accounts
    staked, supply = Credits(accounts.totals.staked), accounts.supply
    base_bp = rate_of(staked, supply, parameters)
    kept, window = state.earnings.kept(account), parameters.uptime_epochs
    is_up = state.is_up(account)
    rate_bp = base_bp * (BASIS + parameters.yield_uptime_bonus * is_up) // BASIS
    share = f"{100 * staked // supply} % of all credits are staked" if supply else "no supply"
    bonus = "with" if is_up else "without"
    return {
        "earned": held.accrual.earned,
        "accrued": held.due(accounts.yield_index) // YIELD_SCALE,
        "rate_bp": rate_bp if held.staked else 0,
        "why": f"{share}; {bonus} the bonus for uptime: {kept} of the last {window} epochs kept",
        "epochs": [
            _payday_view(one, account, parameters.yield_uptime_bonus)
            for one in state.earnings.recent
        ],
    }


def _payday_view(payday: Payday, account: AccountId, bonus: int) -> dict[str, object]:
    """What an epoch paid an account, and why."""
    emission = payday.emission
    is_up = account in emission.rewarded
    return {
        "epoch": emission.epoch,
        "elapsed_ms": emission.elapsed_ms,
        "rate_bp": emission.rate_bp * (BASIS + bonus * is_up) // BASIS,
        "for_1000": 1_000 * CREDIT * (emission.index + emission.extra * is_up) // YIELD_SCALE,
        "up": is_up,
        "staked": payday.stakes.get(account),
        "amount": payday.earned_by(account),
    }


def job_line(job: Job) -> dict[str, object]:
    """One job in a list."""
    return {
        "id": job.identifier.hex(),
        "state": job.phase.value,
        "kind": job.offer.kind,
        "requester": job.requester.hex(),
        "budget": job.offer.budget,
        "confidence": job.confidence_bp,
        "opened_ms": job.timeline[0].time_ms if job.timeline else 0,
    }


def pending_job_view(operation: VerifiedOperation, in_block: bool) -> dict[str, object]:
    """A job whose offer is not final yet."""
    body = operation.operation
    assert isinstance(body.payload, Offer), "only offers open jobs"
    return {
        "id": operation.identifier.hex(),
        "state": "offered",
        "finality": "in_block" if in_block else "seen",
        "kind": body.payload.kind,
        "requester": body.account.hex(),
        "budget": body.payload.budget,
        "executors": [],
        "spares": [],
        "confidence": 0,
        "replicas": 0,
        "result_digest": None,
        "payouts": [],
        "slashes": [],
        "fee": 0,
        "refund": 0,
        "timeline": [],
    }


def job_view(job: Job) -> dict[str, object]:
    """One job with its receipt: who was drawn and why, what they found, who was paid what."""
    accepted = job.accepted
    return job_line(job) | {
        "finality": "final",
        "ending": job.ending.name.lower() if job.ending else None,
        "reason": ending_reason(job),
        "tolerated_error_ppm": job.offer.tolerated_error_ppm,
        "price_cap": job.offer.price_cap,
        "replicas_min": job.offer.replicas,
        "replicas_max": job.offer.replicas_max,
        "result_class": job.offer.result_class,
        "replicas": sum(
            one.status not in ABSENT and one.duty is not Duty.STEP_JUROR for one in job.executors
        ),
        "executors": [_executor_view(job, one) for one in job.executors],
        "spares": [account.hex() for account in job.spares],
        "bids": [plain(_fields(bid)) for bid in job.bids],
        "draw": _draw_view(job.draw),
        "audit": _audit_view(job),
        "jury": _draw_view(job.jury),
        "disputes": [dispute_view(one) | {"jury": _draw_view(one.jury)} for one in job.disputes],
        "convicting": job.convicting,
        "groups": [plain(_fields(group)) for group in job.groups],
        "outcome": accepted.outcome.name.lower() if accepted else None,
        "result_digest": accepted.output.hex() if accepted and _is_finished(job) else None,
        "payouts": [plain(_fields(one)) for one in job.payouts],
        "slashes": [plain(_fields(one)) for one in job.slashes],
        "fee": job.fee,
        "refund": job.refund,
        "sandbox_level": job.offer.sandbox_level,
        "retention_ms": job.offer.retention_ms,
        "delivery": _delivery_view(job.delivery),
        "timeline": [_milestone_view(one) for one in job.timeline],
    }


def ending_reason(job: Job) -> str | None:
    """Why a job ended as it did, and what its requester could do; None before the end."""
    if job.ending is Ending.UNFINISHED and job.accepted is not None:
        return f"the executors agree that the run {UNFINISHED[job.accepted.outcome]}"
    return job.ending.value if job.ending else None


def _is_finished(job: Job) -> bool:
    return job.accepted is not None and job.accepted.outcome is ResultOutcome.FINISHED


def find_job(core: Core, identifier: JobId) -> dict[str, object] | None:
    """Returns a job, final or pending; None when it is unknown."""
    job = core.state.jobs.get(identifier)
    if job is not None:
        return job_view(job)
    operation = core.pool.get(Digest(identifier))
    if operation is None or not isinstance(operation.operation.payload, Offer):
        return None
    return pending_job_view(operation, core.pool.is_in_block(Digest(identifier)))


def missing_job(core: Core) -> str:
    """Says why a job is not shown, and who still knows it if it ended long ago."""
    hours = core.parameters.ended_job_kept_ms // HOUR_MS
    return (
        f"no such job is known to this node: it never became final here, or it ended more than "
        f"{hours} hours of ledger time ago and only the ledger's history has it (ledger export)"
    )


def _executor_view(job: Job, executor: Executor) -> dict[str, object]:
    weights: Mapping[AccountId, int] = {}
    if job.draw is not None:
        weights = {one.account: one.weight for one in job.draw.candidates}
    reveal = executor.reveal
    return {
        "account": executor.account.hex(),
        "reason": _why_called(job, executor, weights),
        "duty": executor.duty.value,
        "status": executor.status.value,
        "price": executor.price,
        "weight": weights.get(executor.account),
        "total_weight": sum(weights.values()),
        "exposure": executor.exposure,
        "checks": executor.checks,
        "fingerprint": executor.fingerprint.hex() if executor.fingerprint else None,
        "outcome": ResultOutcome(reveal.outcome).name.lower() if reveal else None,
        "output": reveal.output.hex() if reveal else None,
        "elapsed_ms": reveal.elapsed_ms if reveal else None,
        "fuel": reveal.fuel if reveal else None,
    }


def _why_called(job: Job, executor: Executor, weights: Mapping[AccountId, int]) -> str:
    """Says why an account runs a job, and how far it came."""
    status = executor.status.value
    if executor.duty is Duty.AUDITOR:
        return f"drawn as auditor by the later beacon; {status}"
    if executor.duty is Duty.JUROR:
        return f"drawn as juror by a still later beacon, since somebody contradicts; {status}"
    if executor.duty is Duty.STEP_JUROR:
        return f"drawn as juror by a still later beacon, for the one step in dispute; {status}"
    total, own = sum(weights.values()), weights.get(executor.account, 0)
    share = f"{100 * own // total} % of the weight" if total else "no weight"
    order = job.draw.order if job.draw else ()
    place = order.index(executor.account) + 1 if executor.account in order else 0
    role = "called as a spare" if place > job.wanted else "drawn"
    return f"{role}, place {place} of {len(order)} with {share}; {status}"


def _draw_view(draw: Draw | None) -> dict[str, object] | None:
    if draw is None:
        return None
    return {
        "index": draw.index,
        "beacon": draw.beacon.hex(),
        "seed": draw.seed.hex(),
        "candidates": [plain(_fields(one)) for one in draw.candidates],
        "order": [account.hex() for account in draw.order],
        "passed_over": [plain(_fields(one)) for one in draw.passed_over],
        "outweighed": [plain(_fields(one)) for one in draw.outweighed],
        "absent_stake": draw.absent_stake,
    }


def _audit_view(job: Job) -> dict[str, object] | None:
    audit = job.audit
    if audit is None:
        return None
    return {
        "beacon": audit.beacon.hex(),
        "number": audit.number,
        "numerator": audit.numerator,
        "denominator": audit.denominator,
        "auditors": [account.hex() for account in audit.drawn.order] if audit.drawn else [],
        "draw": _draw_view(audit.drawn),
    }


def _delivery_view(delivery: Delivery | None) -> dict[str, object] | None:
    """Until when payouts wait for the output to be had, and who was sent to fetch it."""
    if delivery is None:
        return None
    return {
        "until_ms": delivery.until_ms,
        "is_over": delivery.is_over,
        "is_claimed": delivery.is_claimed,
        "missing": [account.hex() for account in delivery.missing],
        "draw": _draw_view(delivery.drawn),
    }


def _milestone_view(milestone: Milestone) -> dict[str, object]:
    return {
        "phase": milestone.phase.value,
        "round": milestone.leader_round,
        "at_ms": milestone.time_ms,
    }


def _fields(value: object) -> dict[str, object]:
    slots = type(value).__slots__  # type: ignore[attr-defined]  # every value here is slotted
    return {name: getattr(value, name) for name in slots}
