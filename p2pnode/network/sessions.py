"""Keeps one encrypted session whole when tasks that write to it are cancelled.

The session counts its messages as it encrypts them. A cancellation between the encryption and the
socket would lose one and with it the whole connection, so that part of a write is shielded, for as
long as a peer is given to take bytes at all.
"""

from typing import Any

import trio

from p2pnode.network.limits import FRAME_SECONDS


def shield_writes(session: Any) -> None:  # noqa: ANN401 - its method is replaced
    """Let each begun write of a session end before its task is cancelled."""
    write = session.write

    async def shielded(data: bytes) -> None:
        with trio.fail_after(FRAME_SECONDS) as scope:
            scope.shield = True
            await write(data)

    session.write = shielded
