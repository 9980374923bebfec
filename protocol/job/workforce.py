"""Who works on which kind of job, as the bids of the jobs that the state holds show it.

Whoever bid for a job counts as a worker of its kind and device class, at the sandbox level that it
named, for as long as the state holds that job. So checkers can be drawn from everybody who does
such work, and not only from those who chose to bid for the job that is checked. Everything here
follows from the jobs and is never stored.
"""

from protocol.job.record import Job
from protocol.messages import Offer
from protocol.units import AccountId

Trade = tuple[str, str, int]
"""Kind of job, device class and sandbox level."""


class Workforce:
    """The workers of each trade."""

    def __init__(self) -> None:
        self._bids: dict[Trade, dict[AccountId, int]] = {}

    def note(self, before: Job | None, job: Job) -> None:
        """Takes in the bids that a change of a job brings."""
        known = len(before.bids) if before is not None else 0
        for bid in job.bids[known:]:
            workers = self._bids.setdefault((job.offer.kind, bid.device, bid.sandbox_level), {})
            workers[bid.account] = workers.get(bid.account, 0) + 1

    def forget(self, job: Job) -> None:
        """Lets go of the bids of a job that leaves the state."""
        for bid in job.bids:
            trade = (job.offer.kind, bid.device, bid.sandbox_level)
            workers = self._bids[trade]
            workers[bid.account] -= 1
            if not workers[bid.account]:
                del workers[bid.account]
            if not workers:
                del self._bids[trade]

    def of(self, offer: Offer, device: str | None = None) -> tuple[AccountId, ...]:
        """Lists who works on an offer's kind at the sandbox level that it asks for, ascending.

        Args:
            offer: What is to be run.
            device: The one device class that will do; None for any that the offer takes.
        """
        found: dict[AccountId, None] = {}
        for (kind, owned, level), workers in self._bids.items():
            fits = offer.device in ("any", owned.partition("/")[0])
            is_fit = fits if device is None else owned == device
            if kind == offer.kind and is_fit and level >= offer.sandbox_level:
                found.update(dict.fromkeys(workers))
        return tuple(sorted(found))
