"""The one place where any exception at all is caught: doors through which strangers reach the node.

An exception that leaves a stream handler, a validator or a router of the library ends the whole
node. So each of these doors runs its work here, where a failure is counted, reported and over.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

from p2pnode.network.counters import Counters

_LOGGER = logging.getLogger(__name__)
_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


class Guard:
    """Runs work whose failure must not spread."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    async def contain(
        self,
        door: str,
        work: Callable[[*_Arguments], Awaitable[object]],
        *arguments: *_Arguments,
    ) -> bool:
        """Run the work; False when it raised. Cancellation passes."""
        try:
            await work(*arguments)
        except Exception as error:  # noqa: BLE001 - this is the door
            self._report(door, error)
            return False
        return True

    def decide(
        self,
        door: str,
        question: Callable[[*_Arguments], _Result],
        fallback: _Result,
        *arguments: *_Arguments,
    ) -> _Result:
        """Ask the question; the fallback when asking it raised."""
        try:
            return question(*arguments)
        except Exception as error:  # noqa: BLE001 - this is the door
            self._report(door, error)
            return fallback

    def _report(self, door: str, error: Exception) -> None:
        self._counters.add(f"contained_{door}")
        _LOGGER.info("contained at %s: %s: %s", door, type(error).__name__, error)
