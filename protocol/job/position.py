"""Places in the ledger, and the time that deadlines run on.

Ledger time adds up the times between commits, each only up to a bound. So a part of the network
that cannot finalise anything lets no deadline expire, and neither does a halt of all of it.
"""

from dataclasses import dataclass

from protocol.parameters import Parameters
from protocol.units import CommitIndex, Digest, Milliseconds, Round


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the ledger, at which rules judge."""

    index: CommitIndex
    leader_round: Round
    time_ms: Milliseconds
    """Commit time since genesis."""
    ledger_ms: Milliseconds
    """Ledger time: what deadlines run on."""
    beacon: Digest
    judging_from: CommitIndex
    """Deadlines are judged from this commit on: what a gap held up counts before them."""

    @property
    def judges(self) -> bool:
        """Whether deadlines are judged here."""
        return self.index >= self.judging_from


def origin(beacon: Digest) -> Position:
    """The place before the first commit."""
    start = Milliseconds(0)
    return Position(CommitIndex(0), Round(0), start, start, beacon, CommitIndex(0))


def following(
    before: Position, leader_round: Round, time_ms: int, beacon: Digest, parameters: Parameters
) -> Position:
    """Computes the place of the next commit."""
    index = CommitIndex(before.index + 1)
    elapsed_ms = max(0, time_ms - before.time_ms)
    step_ms = min(elapsed_ms, parameters.ledger_step_max_ms)
    judging_from = before.judging_from
    if elapsed_ms > parameters.ledger_step_max_ms:
        judging_from = CommitIndex(index + parameters.ledger_gap_commits)
    return Position(
        index=index,
        leader_round=leader_round,
        time_ms=Milliseconds(time_ms),
        ledger_ms=Milliseconds(before.ledger_ms + step_ms),
        beacon=beacon,
        judging_from=judging_from,
    )
