"""What this machine has and how well it locks work up, found out while the node opens its store."""

import trio

from p2pnode.execution.devices import Devices
from p2pnode.execution.discovery import discover
from p2pnode.execution.probe import SandboxReport, probe


class Survey:
    """Looks at devices and sandbox in tasks of their own: drivers may take seconds to answer.

    Args:
        nursery: Where the looking goes on; when it is cancelled, nobody waits for a driver.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._found: tuple[Devices, SandboxReport] | None = None
        self._done = trio.Event()
        nursery.start_soon(self._look)

    async def found(self) -> tuple[Devices, SandboxReport]:
        """Waits for what was found."""
        await self._done.wait()
        assert self._found is not None, "it is set before"
        return self._found

    async def _look(self) -> None:
        reports: list[SandboxReport] = []

        async def look_at_sandbox() -> None:
            reports.append(await probe())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(look_at_sandbox)
            devices = await trio.to_thread.run_sync(
                discover,
                abandon_on_cancel=True,  # type: ignore[call-arg]  # old stubs
            )
        self._found = devices, reports[0]
        self._done.set()
