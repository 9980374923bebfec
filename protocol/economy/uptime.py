"""Who was there, as the final ledger shows it and nobody has to claim.

Time counts in epochs. A member keeps an epoch by blocks in nearly all of its rounds. Anybody else
keeps it by a lease renewed in it, which holds a value that nobody knew before, if it also answered
every job that it was drawn for. An account is up when it kept nearly all of the latest epochs. So a
record begins empty, an hour's absence is forgotten within a day, and nobody is up who only says so.
A job can cost uptime and never bring any: whoever offers jobs to himself would buy it.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Final

from protocol.parameters import Parameters
from protocol.units import BASIS, AccountId, Epoch

FIRST_EPOCH: Final = Epoch(0)


@dataclass(frozen=True, slots=True)
class Uptime:
    """Which epochs an account kept."""

    newest: Epoch = FIRST_EPOCH
    """The last one that it kept."""
    history: bytes = b""
    """One bit for each epoch, the lowest for `newest`, the next for the one before; big-endian."""


UNKNOWN: Final = Uptime()


def after_kept(uptime: Uptime, epoch: Epoch, parameters: Parameters) -> Uptime:
    """Records that an account kept an epoch; what lies before the window is forgotten."""
    window = parameters.uptime_epochs
    missed = min(window, epoch - uptime.newest)
    bits = int.from_bytes(uptime.history, "big") << missed | 1
    bits &= (1 << window) - 1
    return Uptime(epoch, bits.to_bytes((bits.bit_length() + 7) // 8, "big"))


def kept_of(uptime: Uptime, epoch: Epoch, parameters: Parameters) -> int:
    """Counts how many of the latest epochs an account kept.

    Args:
        uptime: Its record.
        epoch: The newest one that counts, if the record holds none after it.
        parameters: The network's terms.
    """
    window = parameters.uptime_epochs
    missed = max(0, min(window, epoch - uptime.newest))
    bits = int.from_bytes(uptime.history, "big") << missed
    return (bits & (1 << window) - 1).bit_count()


class Attendance:
    """Counts who shows up in the running epoch, and keeps which of the latest each account kept.

    Attributes:
        present: Who kept the last epoch that has ended, ascending.
    """

    def __init__(self) -> None:
        self.present: tuple[AccountId, ...] = ()
        self._blocks: dict[AccountId, int] = {}
        self._missed: dict[AccountId, None] = {}
        self._uptimes: dict[AccountId, Uptime] = {}
        self._changed: tuple[AccountId, ...] = ()

    def count(self, authors: Iterable[AccountId]) -> None:
        """Takes in the authors of final blocks, each once for each block."""
        for author in authors:
            self._blocks[author] = self._blocks.get(author, 0) + 1

    def miss(self, account: AccountId) -> None:
        """Takes in who let a deadline of a job pass."""
        self._missed[account] = None

    def close(
        self,
        epoch: Epoch,
        rounds: int,
        seats: Container[AccountId],
        leased: Iterable[AccountId],
        parameters: Parameters,
    ) -> None:
        """Ends an epoch.

        Args:
            epoch: Which one.
            rounds: How many rounds the ledger went on in it.
            seats: Its members, who are there by their blocks alone.
            leased: Who renewed a lease in it.
            parameters: The network's terms.
        """
        enough = rounds * parameters.uptime_rounds_min
        members = [one for one, count in self._blocks.items() if count * BASIS >= enough]
        others = [one for one in leased if one not in seats and one not in self._missed]
        self.present = tuple(sorted((*members, *others)))
        for account in self.present:
            uptime = self._uptimes.get(account, UNKNOWN)
            self._uptimes[account] = after_kept(uptime, epoch, parameters)
        self._changed = self.present
        self._blocks.clear()
        self._missed.clear()

    def kept(self, account: AccountId, newest: Epoch, parameters: Parameters) -> int:
        """Counts how many of the latest `uptime_epochs` an account kept.

        Args:
            account: Whose record.
            newest: The last epoch that has ended; below 0 before any has.
            parameters: The network's terms.
        """
        uptime = self._uptimes.get(account, UNKNOWN)
        return kept_of(uptime, max(FIRST_EPOCH, newest), parameters)

    def is_up(self, account: AccountId, newest: Epoch, parameters: Parameters) -> bool:
        """Whether an account kept enough of the latest epochs for a bonus; see `kept`."""
        kept = self.kept(account, newest, parameters)
        return kept * BASIS >= parameters.uptime_min * parameters.uptime_epochs

    def items(self) -> Iterable[tuple[AccountId, Uptime]]:
        """What each account kept."""
        return self._uptimes.items()

    def load(self, account: AccountId, uptime: Uptime) -> None:
        """Takes over what an account kept."""
        self._uptimes[account] = uptime

    def take_changes(self) -> tuple[tuple[AccountId, Uptime], ...]:
        """The records that the end of an epoch changed since the last call, ascending."""
        changed, self._changed = self._changed, ()
        return tuple((account, self._uptimes[account]) for account in changed)
