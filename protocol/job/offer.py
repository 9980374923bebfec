"""Opening a job: whether an offer's terms hold together and its budget covers its worst case."""

from protocol.balances import Available, Escrow, Move
from protocol.economy.rewards import METERED_KIND, most_cost, most_pay, paid_limit_ms
from protocol.errors import Reason, Rejected
from protocol.job.position import Position
from protocol.job.record import Change, Job, Milestone, Phase
from protocol.job.stepped import is_stepped, seats_of
from protocol.messages import Offer
from protocol.parameters import Parameters
from protocol.units import AccountId, Credits, JobId, Round

DEVICES = ("any", "cpu", "cuda")
RESULT_CLASSES = ("exact", "class-exact")
SANDBOX_LEVEL_MAX = 4


def smallest_budget(offer: Offer, parameters: Parameters) -> Credits:
    """Computes the least budget that an offer may have; its own `budget` has no influence.

    All replicas, one auditor and a jury at the price cap, for all of the time, with every bonus
    and the fee; of a job made of steps a jury for each dispute that there could be.
    """
    most = most_pay(Credits(offer.price_cap), paid_limit_ms(offer, parameters), parameters)
    jurors = parameters.jury_size
    if is_stepped(offer):
        jurors = offer.replicas_max * seats_of(parameters)
    return most_cost(offer.replicas_max + 1 + jurors, most, parameters)


def open_job(
    identifier: JobId,
    requester: AccountId,
    offer: Offer,
    position: Position,
    parameters: Parameters,
) -> Change:
    """Decides an offer: the job opens for bids and locks its whole budget.

    Raises:
        Rejected: `BAD_TERMS`, `CLASS_NOT_SUPPORTED` or `BUDGET_TOO_SMALL`.
    """
    check_terms(offer, parameters)
    job = Job(
        identifier=identifier,
        requester=requester,
        offer=offer,
        opened_index=position.index,
        phase=Phase.BIDDING,
        timeline=(Milestone(Phase.BIDDING, position.leader_round, position.time_ms),),
        round_awaited=Round(position.leader_round + offer.bid_window_rounds),
    )
    lock = Move(Available(requester), Escrow(identifier, requester), Credits(offer.budget))
    return Change(job, (lock,))


def check_terms(offer: Offer, parameters: Parameters) -> None:
    """Refuses an offer that no job could be made of.

    Raises:
        Rejected: `BAD_TERMS`, `CLASS_NOT_SUPPORTED` or `BUDGET_TOO_SMALL`.
    """
    for holds, detail in _terms(offer, parameters):
        if not holds:
            raise Rejected(Reason.BAD_TERMS, detail)
    if offer.result_class not in RESULT_CLASSES and not is_stepped(offer):
        raise Rejected(Reason.CLASS_NOT_SUPPORTED, offer.result_class)
    least = smallest_budget(offer, parameters)
    if offer.budget < least:
        raise Rejected(Reason.BUDGET_TOO_SMALL, f"at least {least} millionths")


def _terms(offer: Offer, parameters: Parameters) -> tuple[tuple[bool, str], ...]:
    limits = offer.limits
    return (
        (bool(offer.kind), "a job has a kind"),
        (offer.device in DEVICES, f"the device is one of {', '.join(DEVICES)}"),
        (offer.replicas <= offer.replicas_max, "replicas exceed replicas_max"),
        (offer.replicas_max <= parameters.replicas_max, "too many replicas for this network"),
        (offer.bid_window_rounds >= parameters.bid_window_rounds_min, "the bid window is short"),
        (offer.bid_window_rounds <= parameters.bid_window_rounds_max, "the bid window is long"),
        (offer.deadline_ms <= parameters.deadline_max_ms, "the deadline is too far"),
        (limits.time_ms <= offer.deadline_ms, "the time limit exceeds the deadline"),
        (offer.speed_target_ms <= offer.deadline_ms, "the speed target exceeds the deadline"),
        (offer.retention_ms <= parameters.deadline_max_ms, "the output is kept for too long"),
        (offer.sandbox_level <= SANDBOX_LEVEL_MAX, "there is no such sandbox level"),
        (limits.time_ms <= parameters.limit_time_max_ms, "the time limit is too high"),
        (limits.memory_bytes <= parameters.limit_memory_max_bytes, "the memory limit is too high"),
        (limits.output_bytes <= parameters.limit_output_max_bytes, "the output limit is too high"),
        (limits.fuel <= parameters.limit_fuel_max, "the fuel limit is too high"),
        (limits.fuel > 0 or offer.kind != METERED_KIND, "a metered kind needs a fuel limit"),
        (offer.size_bytes <= parameters.payload_bytes_max, "artefact and inputs are too large"),
    )
