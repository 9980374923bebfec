"""Virtual time: a heap of what happens when, in integer nanoseconds.

Actions at one time run in the order in which they were planned, so nothing depends on chance.
"""

from collections import deque
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

    __slots__ = ("_plan", "_sequence", "_soon", "events", "now")

    def __init__(self, now: int = 0) -> None:
        self.now = now
        self.events = 0
        self._sequence = 0
        self._plan: list[tuple[int, int, Action]] = []
        self._soon: deque[Action] = deque()
        """What was planned for the very time at which it was planned: last of that time."""

    def at(self, time: int, action: Action) -> None:
        """Plans an action.

        Raises:
            Misuse: The time has passed.
        """
        if time > self.now:
            self._sequence += 1
            heappush(self._plan, (time, self._sequence, action))
        elif time == self.now:
            self._soon.append(action)
        else:
            raise Misuse("virtual time never goes back")

    def after(self, delay: int, action: Action) -> None:
        """Plans an action some nanoseconds from now."""
        self.at(self.now + delay, action)

    def run(self, until: int) -> None:
        """Runs everything planned up to and at a time, and leaves the clock there."""
        plan, soon = self._plan, self._soon
        while True:
            if plan and plan[0][0] <= (self.now if soon else until):
                self.now, _, action = heappop(plan)
            elif soon and self.now <= until:
                action = soon.popleft()
            else:
                break
            self.events += 1
            action()
        self.now = max(self.now, until)
