"""Notices that a running node needs blocks which no peer has any more."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio

from p2pnode.arrival.company import Company
from p2pnode.arrival.wire import Standing

BEHIND_NOTE: Final = "behind"
"""Under this name the journal remembers that the next start has to fetch a snapshot."""
LOOK_SECONDS: Final = 30.0
"""Between two looks at whether the epoch moves; peers are asked only when it does not."""

log = structlog.get_logger(__name__)


async def watch_history(
    epoch_now: Callable[[], int],
    company: Callable[[], Company],
    remember: Callable[[], Awaitable[None]],
    advice: str,
) -> None:
    """Says once that this node cannot catch up, and remembers it for the next start.

    Args:
        epoch_now: The epoch that this node is in.
        company: Makes whom to ask, anew each time: who was silent may answer later.
        remember: Makes the next start fetch a snapshot.
        advice: What the operator has to do.
    """
    seen = epoch_now()
    while True:
        await trio.sleep(LOOK_SECONDS)
        epoch = epoch_now()
        if epoch != seen:
            seen = epoch
            continue
        if is_cut_off(epoch, await company().survey()):
            await remember()
            log.error(
                "history_pruned",
                epoch=epoch,
                consequence="peers are epochs ahead and none has the blocks of this one any more",
                advice=advice,
            )
            return


def is_cut_off(epoch: int, standings: dict[bytes, Standing]) -> bool:
    """Whether half of all peers know the end of an epoch, and none of these has its blocks.

    What a peer says of itself is not proven: one that lies must not alarm a node that is level.
    """
    ahead = [one for one in standings.values() if one.newest_certificate >= epoch]
    are_many = bool(ahead) and 2 * len(ahead) >= len(standings)
    return are_many and all(one.first_blocks > epoch for one in ahead)
