"""What stake earns, epoch by epoch, and who was there to earn more."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from protocol.accounts import Accounts
from protocol.balances import YIELD_SCALE
from protocol.economy.emission import Emission, pay_epoch
from protocol.economy.uptime import Attendance
from protocol.epochs import Epochs
from protocol.job.position import Position
from protocol.job.record import Job, Status
from protocol.ledger.ordering import Commit
from protocol.parameters import Parameters
from protocol.units import AccountId, Credits, Epoch, Milliseconds

EPOCHS_KEPT: Final = 24
"""How many of the latest epochs are remembered for people: four hours of ten-minute epochs."""
SILENCES: Final = (Status.MISSED, Status.UNOPENED, Status.FORFEITED)


@dataclass(frozen=True, slots=True)
class Payday:
    """What an epoch paid, and to whom of those that showed up in it."""

    emission: Emission
    stakes: Mapping[AccountId, Credits]
    """What each member, and everybody else who was there, had at stake when it ended."""

    def earned_by(self, account: AccountId) -> Credits | None:
        """What an account earned, rounded down; None for one that did not show up."""
        staked, emission = self.stakes.get(account), self.emission
        if staked is None:
            return None
        extra = emission.extra if account in emission.rewarded else 0
        return Credits(staked * (emission.index + extra) // YIELD_SCALE)


class Earnings:
    """Pays the yield where epochs end; owned by the state.

    Args:
        accounts: Whose stake earns.
        epochs: Who has a seat, and who renewed a lease.
        parameters: The network's terms.

    Attributes:
        attendance: Which epochs each account kept.
        recent: The latest epochs' payments, the oldest first. For people: they follow from what is
            final, and whoever loads a state begins without them.
    """

    def __init__(self, accounts: Accounts, epochs: Epochs, parameters: Parameters) -> None:
        self.attendance = Attendance()
        self.recent: deque[Payday] = deque(maxlen=EPOCHS_KEPT)
        self._accounts = accounts
        self._epochs = epochs
        self._parameters = parameters

    def is_up(self, account: AccountId) -> bool:
        """Whether an account was there nearly all the time lately, as the ledger shows it."""
        return self.attendance.is_up(account, self._last_ended, self._parameters)

    def kept(self, account: AccountId) -> int:
        """Counts how many of the latest `uptime_epochs` an account kept."""
        return self.attendance.kept(account, self._last_ended, self._parameters)

    @property
    def _last_ended(self) -> Epoch:
        return Epoch(self._epochs.epoch - 1)

    def note(self, commit: Commit) -> None:
        """Takes in the blocks of a commit."""
        members = self._epochs.committee.members
        self.attendance.count(members[one.block.author].account for one in commit.blocks)

    def note_job(self, before: Job | None, job: Job) -> None:
        """Takes in who let a deadline of a job pass in a commit.

        Args:
            before: The job as the commit found it; None for one that it opened.
            job: The job as the commit left it.
        """
        known = {one.account: one.status for one in before.executors} if before is not None else {}
        for executor in job.executors:
            is_new = known.get(executor.account) is not executor.status
            if is_new and executor.status in SILENCES:
                self.attendance.miss(executor.account)

    def close(self, begin: Position, end: Position) -> Emission:
        """Ends the running epoch, before the next committee is elected.

        Args:
            begin: Where it began.
            end: Its last commit.
        """
        epochs, parameters = self._epochs, self._parameters
        members = dict.fromkeys(one.account for one in epochs.committee.members)
        rounds = end.leader_round - begin.leader_round
        self.attendance.close(epochs.epoch, rounds, members, epochs.leased, parameters)
        elapsed_ms = Milliseconds(end.ledger_ms - begin.ledger_ms)
        emission = pay_epoch(self._accounts, self.attendance, epochs.epoch, elapsed_ms, parameters)
        there = (*members, *self.attendance.present)
        stakes = {account: self._accounts.of(account).staked for account in there}
        self.recent.append(Payday(emission, stakes))
        return emission
