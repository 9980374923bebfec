"""What a node does for its store and its key besides the protocol: signs or not, prunes, stops."""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog
import trio

from p2pnode.settings import Settings
from p2pnode.storage import ArtifactStore, DamagedData, Journal, StorageError
from protocol import effects as fx
from protocol.core import Core

PRUNE_SECONDS: Final = 60.0
"""Pause after everything that may go is gone: snapshots are minutes apart."""

EXPIRE_SECONDS: Final = 600.0
"""Between two looks for outputs that were kept for long enough, whose time counts in hours."""

log = structlog.get_logger(__name__)


class KeyElsewhere(Exception):  # noqa: N818  what is wrong, for the operator
    """Another process signs with this node's key, which costs the stake if both go on."""

    def __init__(self, evidence: str) -> None:
        super().__init__(
            f"another node signs with the key of this data folder ({evidence}): this one stopped; "
            "make sure that the key runs in one place only, then start that one"
        )


def stop_if_key_is_elsewhere(fact: fx.Fact) -> None:
    """Ends the node when a fact says that its key is in use in another place.

    Raises:
        KeyElsewhere: It is.
    """
    if isinstance(fact, fx.KeySeenElsewhere):
        raise KeyElsewhere(f"its block of round {fact.round} was made while this node ran")


def may_sign(journal: Journal) -> bool:
    """Whether the journal knows all that this node has signed; says so when it does not."""
    try:
        journal.own_slots()
    except DamagedData as damage:
        log.error(
            "own_slots_damaged",
            detail=str(damage),
            consequence="this node signs no blocks until its journal is restored or made anew",
        )
        return False
    return True


async def keep_bounded(
    journal: Journal, settings: Settings, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Prunes what a snapshot stands for, for ever; an archive, which keeps all, ends at once.

    Args:
        journal: To prune.
        settings: With the bounds that the operator set.
        tell: Told why nothing could be pruned, and with an empty text when all is well.
    """
    while settings.keep_epochs is not None or settings.keep_chain is not None:
        failure = ""
        try:
            if await journal.prune(settings.keep_epochs, settings.keep_chain):
                continue
        except StorageError as error:
            failure = str(error)
            log.error("pruning_failed", detail=failure, consequence="tried again later")
        tell(failure)
        await trio.sleep(PRUNE_SECONDS)


def needed_content(core: Core, store: ArtifactStore) -> frozenset[bytes]:
    """What this node may not lose: content of open jobs that it offered or runs, and outputs."""
    own, jobs = core.account, core.state.open_jobs
    needed: set[bytes] = set(store.outputs_of(frozenset(jobs)))
    for job in jobs.values():
        if own == job.requester or any(own == one.account for one in job.executors):
            needed |= {job.offer.artefact, *job.offer.inputs}
    return frozenset(needed)


async def tend_content(store: ArtifactStore, core: Core, settings: Settings) -> None:
    """Has the store keep what open jobs need, and removes outputs when their time is over."""
    store.needed = partial(needed_content, core, store)
    while True:
        try:
            if gone := await store.expire(settings.output_keep_hours * 3_600):
                log.info("outputs_expired", artefacts=gone)
        except StorageError as error:
            log.error("outputs_not_expired", detail=str(error), consequence="tried again later")
        await trio.sleep(EXPIRE_SECONDS)
