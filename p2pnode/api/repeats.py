"""Makes a repeated request spend once: answers are kept under the key that the caller chose.

A program that lost an answer sends the same request again with the same `Idempotency-Key`. The
answers live in memory, the newest of them only; they do not survive a restart.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from p2pnode.interfaces import ControlError

KEYS_MAX = 1_024
"""How many answers are kept; the oldest is dropped."""
KEY_LENGTH_MAX = 128

Answer = dict[str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer and the request that it answered."""

    request: object
    answer: Answer


class Repeats:
    """The answers given under a key."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._locks: dict[str, trio.Lock] = {}

    async def once(
        self, key: str | None, request: object, action: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Act, unless the same request was already answered under this key.

        Raises:
            ControlError: The key is too long or belongs to another request, or the action failed;
                a failure is not kept, so that it can be tried again.
        """
        if key is None:
            return await action()
        if not 0 < len(key) <= KEY_LENGTH_MAX:
            message = f"an idempotency key has 1 to {KEY_LENGTH_MAX} characters"
            raise ControlError("bad_request", message, 400)
        lock = self._locks.setdefault(key, trio.Lock())
        async with lock:
            try:
                return await self._answer(key, request, action)
            finally:
                if not lock.statistics().tasks_waiting:
                    self._locks.pop(key, None)

    async def _answer(
        self, key: str, request: object, action: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        kept = self._kept.get(key)
        if kept is None:
            answer = await action()
            self._kept[key] = Kept(request, answer)
            while len(self._kept) > KEYS_MAX:
                self._kept.popitem(last=False)
            return answer
        if kept.request != request:
            message = "this idempotency key was used for another request: choose a new one"
            raise ControlError("idempotency_conflict", message, 409)
        return kept.answer
