"""Virtual time: a heap of what happens when, in integer nanoseconds.

Actions at one time run in the order in which they were planned, so nothing depends on chance.
"""

from collections.abc import Callable
from heapq import heappop, heappush

from protocol.errors import Misuse

Action = Callable[[], None]


class Engine:
    """Runs planned actions in the order of their times.

    Attributes:
        now: Nanoseconds since genesis.
        events: Actions run so far.
    """

    __slots__ = ("_plan", "_sequence", "events", "now")

    def __init__(self, now: int = 0) -> None:
        self.now = now
        self.events = 0
        self._sequence = 0
        self._plan: list[tuple[int, int, Action]] = []

    def at(self, time: int, action: Action) -> None:
        """Plans an action.

        Raises:
            Misuse: The time has passed.
        """
        if time < self.now:
            raise Misuse("virtual time never goes back")
        self._sequence += 1
        heappush(self._plan, (time, self._sequence, action))

    def after(self, delay: int, action: Action) -> None:
        """Plans an action some nanoseconds from now."""
        self.at(self.now + delay, action)

    def run(self, until: int) -> None:
        """Runs everything planned up to and at a time, and leaves the clock there."""
        plan = self._plan
        while plan and plan[0][0] <= until:
            self.now, _, action = heappop(plan)
            self.events += 1
            action()
        self.now = max(self.now, until)
