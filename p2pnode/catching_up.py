"""Shows on a terminal how far a node is behind while it catches up with its network."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import trio

from p2pnode.live_line import LiveLine
from protocol.core import Core
from protocol.units import MILLISECOND

LOOK_SECONDS: Final = 0.5
BEHIND_SECONDS: Final = 20
"""A last commit that is older is one of the past: that of a network at work is seconds old."""


async def show_catching_up(line: LiveLine, core: Core, now: Callable[[], int]) -> None:
    """Has the line tell how far the ledger has come, as long as commits of the past come in.

    A ledger that is old and stands still is not catching up: then there is no line.

    Args:
        line: Where.
        core: Whose ledger it is.
        now: Nanoseconds since genesis.
    """
    index = core.state.index
    while True:
        await trio.sleep(LOOK_SECONDS)
        state = core.state
        behind = (now() // MILLISECOND - state.commit_time_ms) // 1000
        if state.index > index and behind > BEHIND_SECONDS:
            line.show(
                f"catching up: commit {state.index:,} of epoch {state.committee.epoch:,}, "
                f"{timedelta(seconds=behind)} behind"
            )
        else:
            line.clear()
        index = state.index
