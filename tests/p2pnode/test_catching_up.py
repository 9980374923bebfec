"""A node tells how far behind it is while commits of the past come in, and not otherwise."""

import io
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import trio
import trio.testing

from p2pnode.catching_up import LOOK_SECONDS, show_catching_up
from p2pnode.live_line import ERASE, LiveLine
from protocol.core import Core
from protocol.units import MILLISECOND


@dataclass
class Past:
    """As much of a core as is looked at."""

    index: int = 0
    commit_time_ms: int = 0
    committee: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(epoch=7))


async def test_the_line_is_there_while_old_commits_come_in(
    autojump_clock: trio.testing.MockClock,
) -> None:
    state, terminal, now_ms = Past(), io.StringIO(), 3_600_000
    core = cast("Core", SimpleNamespace(state=state))
    line = LiveLine(terminal, trio.current_time)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(show_catching_up, line, core, lambda: now_ms * MILLISECOND)
        await trio.sleep(LOOK_SECONDS * 1.5)
        assert terminal.getvalue() == "", "an old ledger that stands still is not catching up"
        state.index, state.commit_time_ms = 1_200, 1_800_000
        await trio.sleep(LOOK_SECONDS)
        shown = f"{ERASE}catching up: commit 1,200 of epoch 7, 0:30:00 behind"
        assert terminal.getvalue() == shown
        state.index, state.commit_time_ms = 2_400, now_ms - 1_000
        await trio.sleep(LOOK_SECONDS)
        assert terminal.getvalue() == shown + ERASE
        nursery.cancel_scope.cancel()
