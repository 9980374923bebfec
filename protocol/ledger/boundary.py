"""When an epoch ends: a function of its committed leaders alone, so that all end it alike.

Time counts as in the state: a commit adds at most a bound. So a network that stood still for a
night does not end its epoch with the first commit of the morning, in which most members would
still be missing, and evict them.
"""

from protocol.parameters import Parameters
from protocol.units import Round


class EpochClock:
    """Counts one epoch.

    Args:
        parameters: The network's terms.
        start_ms: Time of the commit that ended the epoch before; 0 for the first epoch.
    """

    __slots__ = ("_elapsed_ms", "_last_ms", "_parameters")

    def __init__(self, parameters: Parameters, start_ms: int) -> None:
        self._parameters = parameters
        self._elapsed_ms = 0
        self._last_ms = start_ms

    def closes(self, leader_round: Round, time_ms: int) -> bool:
        """Takes in the next committed leader; returns whether the epoch ends with it."""
        parameters = self._parameters
        step_ms = time_ms - self._last_ms
        self._last_ms = time_ms
        self._elapsed_ms += min(step_ms, parameters.ledger_step_max_ms)
        if leader_round >= parameters.epoch_rounds:
            return True
        is_over = self._elapsed_ms >= parameters.epoch_ms
        return is_over and leader_round >= parameters.epoch_rounds_min
