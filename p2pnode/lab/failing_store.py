"""A store that refuses to write while a laboratory wants it to, as a full disk would.

It stands above the database: what the node does about a refusal is its own, and what SQLite does
about a full disk is tested elsewhere.
"""

from collections.abc import Callable

from p2pnode.driver import StoreRefused, World
from protocol import effects as fx


class FailingStore:
    """The world of one driver, whose store may refuse.

    Args:
        world: The real one.
        fails: Says whether it refuses at this moment.
    """

    def __init__(self, world: World, fails: Callable[[], bool]) -> None:
        self._world = world
        self._fails = fails

    async def keep(self, records: tuple[fx.Persist, ...]) -> None:
        """Make records durable, unless the store refuses.

        Raises:
            StoreRefused: Nothing was written.
        """
        if self._fails():
            raise StoreRefused("the laboratory lets no write through")
        await self._world.keep(records)

    async def perform(self, effect: fx.Effect) -> None:
        """Do one effect; the store has no part in it."""
        await self._world.perform(effect)

    def report(self, fact: fx.Fact) -> None:
        """Take note of a fact."""
        self._world.report(fact)
