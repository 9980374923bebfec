"""The jury: workers from outside a job who run it again before anybody can be convicted.

A contradiction alone convicts nobody: those who agree could be the liars. Where enough weight
agrees to settle a job and somebody contradicts it, a later beacon draws a jury from everybody who
does such work and has no part in the job. Jurors run it as executors do: they pledge, commit, send
fingerprints and reveal, all while no result is public, and are paid from the escrow. One jury is
drawn for a job at most. A juror that declines or stays silent is replaced by the next in the drawn
order; when nobody is left, the jury is short and the job convicts nobody.
"""

from collections.abc import Sequence
from dataclasses import replace

from protocol.economy.reputation import odds
from protocol.encoding import digest_of
from protocol.job.bidding import obstacle_to, terms_of
from protocol.job.calling import ACTIVE, call
from protocol.job.crosscheck import Balance, compare, spares_needed
from protocol.job.drawing import draw_outsiders
from protocol.job.record import Change, Circumstances, Duty, Job, Phase
from protocol.job.transcript import Draw
from protocol.parameters import Parameters
from protocol.units import AccountId

ORDER_PER_JUROR = 4
"""Workers ranked for each seat of a jury, so that its deadlines are at most so many in a row."""


def is_due(job: Job, balance: Balance, parameters: Parameters) -> bool:
    """Says whether a jury could prove somebody a liar.

    Args:
        job: The job, while all commitments are closed.
        balance: What the fingerprints say.
        parameters: The network's terms.
    """
    if not parameters.jury_size or job.jury is not None:
        return False
    was_opened = any(step.phase is Phase.REVEALING for step in job.timeline)
    return not was_opened and len(balance.members) > 1


def draw_jury(job: Job, circumstances: Circumstances) -> Draw:
    """Draws who could sit in judgement, in the order of calling."""
    seed = digest_of(b"jury", circumstances.position.beacon, job.identifier)
    count = ORDER_PER_JUROR * circumstances.parameters.jury_size
    return draw_outsiders(job, seed, circumstances, count)


def could_convict(job: Job, order: Sequence[AccountId], circumstances: Circumstances) -> bool:
    """Says whether the first of an order fill the jury, and would convict if they all agreed.

    Where they could not, running the job again would cost the requester money and prove nothing.
    """
    parameters = circumstances.parameters
    if len(order) < parameters.jury_size:
        return False
    balance = compare(job, parameters)
    if balance.reaches(parameters.slash_error_ppm):
        return True
    jurors = order[: parameters.jury_size]
    weights = [odds(circumstances.reputation_of(one).checks, parameters) for one in jurors]
    return spares_needed(balance, weights, parameters.slash_error_ppm) is not None


def fill_seats(job: Job, circumstances: Circumstances) -> Change:
    """Calls workers in the drawn order until every seat is taken or nobody is left."""
    order = job.jury.order if job.jury is not None else ()
    return seat(job, order, Duty.JUROR, circumstances.parameters.jury_size, circumstances)


def seat(
    job: Job, order: Sequence[AccountId], duty: Duty, seats: int, circumstances: Circumstances
) -> Change:
    """Calls workers in an order until that many of them are active or nobody is left."""
    change = Change(job)
    for account in order:
        seated = [one for one in change.job.having(*ACTIVE) if one.duty is duty]
        if sum(one.account in order for one in seated) >= seats:
            break
        terms = terms_of(job, account, circumstances)
        if change.job.executor(account) is None and not obstacle_to(job, terms, circumstances):
            change = change.followed_by(call(change.job, account, duty, circumstances))
    spares = tuple(one for one in change.job.spares if change.job.executor(one) is None)
    return replace(change, job=replace(change.job, spares=spares))
