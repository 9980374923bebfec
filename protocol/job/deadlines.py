"""How long a drawn worker may take: what like jobs took, between what a run may need and the offer.

Like jobs are those of one kind that were settled on one device class. What each took, from draw to
commitment, follows from the jobs that the state holds, as its workers do, and is never stored. The
ledger bounds what that says from both sides. No deadline is later than the offer's. And none is
earlier than what the offer itself lets a run take, and its content on the way: so whoever settles
many quick jobs, be it with itself, makes nobody late that works as the offer allows.

Source of the rule: Leys et al., "Detecting outliers: do not use standard deviation around the mean,
use absolute deviation around the median", Journal of Experimental Social Psychology 49, 2013.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence

from protocol.job.record import Job, Phase
from protocol.messages import Offer
from protocol.units import AccountId, JobId, Milliseconds

LIKE_MIN = 8
"""Fewer like jobs say nothing, and the offer's deadline stands."""
LIKE_MAX = 32
"""The latest like jobs that count."""
DEVIATIONS = 6
"""Absolute deviations allowed beyond the median: four standard deviations of normal spans."""
RUNS = 2
"""A worker may have one run under way when it is called, so it is given the time of two."""
BYTES_PER_MS = 1_000
"""What a worker's line must carry of the content: eight megabits a second."""

Trade = tuple[str, str]
"""Kind of job and device class."""
Took = tuple[Milliseconds, JobId, Milliseconds]
"""Ledger time of a job's end, the job, and what its right results took there."""


class Spans:
    """What the jobs held took, by kind and device class."""

    def __init__(self) -> None:
        self._took: dict[Trade, list[Took]] = {}

    def note(self, before: Job | None, job: Job) -> None:
        """Takes in a job that a change settled; a later change of it says nothing new."""
        is_new = before is None or before.phase is not Phase.SETTLED
        if is_new:
            for trade, took in _took(job):
                insort(self._took.setdefault(trade, []), took)

    def forget(self, job: Job) -> None:
        """Lets go of a job that leaves the state."""
        for trade, took in _took(job):
            known = self._took[trade]
            del known[bisect_left(known, took)]
            if not known:
                del self._took[trade]

    def of(self, kind: str, device: str) -> tuple[Milliseconds, ...]:
        """Lists what the latest like jobs took, the newest last; at most `LIKE_MAX`."""
        known = self._took.get((kind, device), [])
        return tuple(span for _, _, span in known[-LIKE_MAX:])


def allowed_ms(offer: Offer, spans: Sequence[Milliseconds]) -> Milliseconds:
    """Computes the ledger time from a call to the commitment, before the network's grace.

    The median of what like jobs took and `DEVIATIONS` times their median absolute deviation, both
    lower medians, within the bounds that the offer sets.

    Args:
        offer: Its time limit and the size of its content bound the time from below, its deadline
            from above.
        spans: What like jobs took.
    """
    if len(spans) < LIKE_MIN:
        return Milliseconds(offer.deadline_ms)
    middle = lower_median(spans)
    deviation = lower_median([Milliseconds(abs(span - middle)) for span in spans])
    least = RUNS * offer.limits.time_ms - (-offer.size_bytes // BYTES_PER_MS)
    usual = middle + DEVIATIONS * deviation
    return Milliseconds(min(offer.deadline_ms, max(least, usual)))


def lower_median(spans: Sequence[Milliseconds]) -> Milliseconds:
    """Takes the middle one of some spans, of two the smaller."""
    return sorted(spans)[(len(spans) - 1) // 2]


def _took(job: Job) -> list[tuple[Trade, Took]]:
    """Says what a settled job took on each device class that found its result."""
    accepted = job.accepted
    if accepted is None:
        return []
    assert job.ended_ms is not None, "what is settled has ended"
    right: frozenset[AccountId] = frozenset(accepted.members)
    spans: dict[str, list[Milliseconds]] = {}
    for one in job.executors:
        if one.account in right and one.committed_ms is not None:
            span = Milliseconds(one.committed_ms - one.called_ms)
            spans.setdefault(one.device, []).append(span)
    return [
        ((job.offer.kind, device), (job.ended_ms, job.identifier, lower_median(found)))
        for device, found in spans.items()
    ]
