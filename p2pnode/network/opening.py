"""The block in which a network is open; what is raised in it comes out as it was raised.

A network holds many tasks, and a task group wraps whatever passes through it. So the inside is
told that the block ended well, closes, and the caller's own error goes on untouched. An error of
the network itself still ends the block, as a group.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from p2pnode.network.errors import NetworkError
from p2pnode.network.network import Network
from p2pnode.network.settings import NetworkSettings
from p2pnode.network.spared import spare_unused


class Opening:
    """Opens a network on entering and closes it on leaving."""

    def __init__(
        self, settings: NetworkSettings, seed: bytes, gate: Callable[[str, bytes, bytes], bool]
    ) -> None:
        self._arguments = (settings, seed, gate)
        self._inside: AbstractAsyncContextManager[Network] | None = None

    async def __aenter__(self) -> Network:
        spare_unused()
        # The library takes most of a second to import, which no other command should wait for.
        from p2pnode.network.host import run_network  # noqa: PLC0415

        _quieten_library()
        self._inside = run_network(*self._arguments)
        try:
            return await self._inside.__aenter__()
        except BaseExceptionGroup as group:
            raise _only_cause(group) from group

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._inside is not None
        await self._inside.__aexit__(None, None, None)


def _quieten_library() -> None:
    """Send the library's records where ours go, and only its worst: failed dials are ordinary."""
    library = logging.getLogger("libp2p")
    library.propagate = True
    is_debugging = logging.getLogger().isEnabledFor(logging.DEBUG)
    library.setLevel(logging.DEBUG if is_debugging else logging.CRITICAL)
    # One part of the library sets its own level, and reports at it every ten seconds.
    logging.getLogger("libp2p.network.auto_connector").setLevel(logging.NOTSET)


def _only_cause(group: BaseException) -> BaseException:
    """The error of this folder that is alone in a group, or the group."""
    cause = group
    while isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
        cause = cause.exceptions[0]
    return cause if isinstance(cause, NetworkError) else group
