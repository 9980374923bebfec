"""Who was there, as the final ledger shows it and nobody has to claim.

Time counts in the steps in which yield is paid. A step is kept by a member that had a block in
nearly all of its rounds; an account is up when it kept nearly all of the latest steps. So a record
begins empty, an hour's absence is forgotten within a day, and nobody is up who only says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NewType

from protocol.parameters import Parameters
from protocol.units import BASIS, AccountId

Step = NewType("Step", int)
"""Position of a step of the yield; the first is 0."""

FIRST_STEP: Final = Step(0)


@dataclass(frozen=True, slots=True)
class Uptime:
    """Which steps an account kept."""

    newest: Step = FIRST_STEP
    """The last step that it kept."""
    history: bytes = b""
    """One bit for each step, the lowest for `newest`, the next for the step before; big-endian."""


UNKNOWN: Final = Uptime()


def after_kept(uptime: Uptime, step: Step, parameters: Parameters) -> Uptime:
    """Records that an account kept a step; what lies before the window is forgotten."""
    window = parameters.uptime_steps
    missed = min(window, step - uptime.newest)
    bits = int.from_bytes(uptime.history, "big") << missed | 1
    bits &= (1 << window) - 1
    return Uptime(step, bits.to_bytes((bits.bit_length() + 7) // 8, "big"))


def kept_of(uptime: Uptime, step: Step, parameters: Parameters) -> int:
    """Counts how many of the latest steps an account kept.

    Args:
        uptime: Its record.
        step: The newest step that counts; at least the newest of the record.
        parameters: The network's terms.
    """
    window = parameters.uptime_steps
    missed = min(window, step - uptime.newest)
    bits = int.from_bytes(uptime.history, "big") << missed
    return (bits & (1 << window) - 1).bit_count()


@dataclass(frozen=True, slots=True)
class Presence:
    """The running step, and the one before it."""

    step: Step
    present: tuple[AccountId, ...]
    """Who kept the step before, ascending."""
    blocks: tuple[tuple[AccountId, int], ...]
    """How many final blocks each account had in the running step so far, by account. Taken down
    where an epoch ends; elsewhere it follows from the ordered blocks, and is empty here."""


class Attendance:
    """Counts blocks in the running step, and keeps what each account kept of the latest steps.

    Attributes:
        step: The running step.
        present: Who kept the step before it, ascending.
    """

    def __init__(self) -> None:
        self.step = FIRST_STEP
        self.present: tuple[AccountId, ...] = ()
        self._blocks: dict[AccountId, int] = {}
        self._uptimes: dict[AccountId, Uptime] = {}
        self._changed = False
        self._presence = Presence(self.step, self.present, ())

    def count(self, authors: Iterable[AccountId]) -> None:
        """Takes in the authors of final blocks, each once for each block."""
        for author in authors:
            self._blocks[author] = self._blocks.get(author, 0) + 1

    def close(self, rounds: int, parameters: Parameters) -> None:
        """Ends the running step.

        Args:
            rounds: How many rounds the ledger went on in it.
            parameters: The network's terms.
        """
        enough = rounds * parameters.uptime_rounds_min
        counts = sorted(self._blocks.items())
        self.present = tuple(one for one, count in counts if count * BASIS >= enough)
        for account in self.present:
            uptime = self._uptimes.get(account, UNKNOWN)
            self._uptimes[account] = after_kept(uptime, self.step, parameters)
        self._changed = True
        self._blocks.clear()
        self.step = Step(self.step + 1)
        self._presence = Presence(self.step, self.present, ())

    def kept(self, account: AccountId, parameters: Parameters) -> int:
        """Counts how many of the latest `uptime_steps` an account kept."""
        newest = Step(max(FIRST_STEP, self.step - 1))
        return kept_of(self._uptimes.get(account, UNKNOWN), newest, parameters)

    def is_up(self, account: AccountId, parameters: Parameters) -> bool:
        """Whether an account kept enough of the latest steps for a bonus."""
        kept = self.kept(account, parameters)
        return kept * BASIS >= parameters.uptime_min * parameters.uptime_steps

    def take_down(self) -> None:
        """Puts the blocks that were counted so far into the record."""
        self._presence = Presence(self.step, self.present, tuple(sorted(self._blocks.items())))

    def record(self) -> Presence:
        """The running step and the last one."""
        return self._presence

    def load(self, presence: Presence) -> None:
        """Takes over the record of another state."""
        self._presence = presence
        self.step, self.present = presence.step, presence.present
        self._blocks = dict(presence.blocks)

    def items(self) -> Iterable[tuple[AccountId, Uptime]]:
        """What each account kept."""
        return self._uptimes.items()

    def load_uptime(self, account: AccountId, uptime: Uptime) -> None:
        """Takes over what an account kept."""
        self._uptimes[account] = uptime

    def take_changes(self) -> tuple[tuple[AccountId, Uptime], ...]:
        """The records that a step changed since the last call, ascending."""
        changed = self.present if self._changed else ()
        self._changed = False
        return tuple((account, self._uptimes[account]) for account in changed)
