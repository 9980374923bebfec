"""What this node's disk holds, whether that is bounded, and what stands in the way of the bounds.

A look goes through the store's tables in a worker thread, so the status shows the newest look and
never waits for one.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import structlog
import trio

from p2pnode.settings import Settings
from p2pnode.snapshots import written_ms
from p2pnode.storage import ArtifactStore, Journal, JournalSizes, StorageError, free_bytes

LOOK_SECONDS: Final = 30.0
LATE_EPOCHS: Final = 2
"""A snapshot is written at each end of an epoch; so many later, one is missing."""

log = structlog.get_logger(__name__)


class _Warning(NamedTuple):
    """One thing in the way of the bounds; its figures change from look to look, its kind not."""

    kind: str
    text: str


class DiskWatch:
    """One node's disk.

    Args:
        settings: With the bounds that the operator set.
        journal: To look at.
        artefacts: To look at.
        epoch_now: The epoch that the ledger is in.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        artefacts: ArtifactStore,
        epoch_now: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._artefacts = artefacts
        self._epoch_now = epoch_now
        self._seen: JournalSizes | None = None
        self._written_ms: int | None = None
        self._free_bytes = 0
        self._epoch = 0
        self._pruning_failure = ""
        self._told: frozenset[str] = frozenset()
        """Kinds of warnings."""

    def hear_pruning(self, failure: str) -> None:
        """Takes in why nothing could be pruned the last time; empty while all is well."""
        self._pruning_failure = failure

    async def run(self) -> None:
        """Looks again and again, for ever."""
        while True:
            await self.look()
            await trio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Looks once; where the store cannot be read, what was seen before stays."""
        try:
            seen = await self._journal.sizes()
            newest = seen.snapshots[0] if seen.snapshots else None
            self._written_ms = written_ms(self._journal, newest) if newest else None
            self._free_bytes = free_bytes(self._settings.data_dir)
        except StorageError as error:
            log.error("disk_not_looked_at", detail=str(error), consequence="status shows the last")
            return
        self._seen, self._epoch = seen, self._epoch_now()
        warnings = tuple(self._warnings(seen))
        for warning in warnings:
            if warning.kind not in self._told:
                log.warning("disk_not_bounded", detail=warning.text)
        self._told = frozenset(warning.kind for warning in warnings)

    def view(self) -> Mapping[str, object]:
        """What the status shows of the disk; empty before the first look."""
        seen, settings = self._seen, self._settings
        if seen is None:
            return {}
        first, last = seen.certificate_span or (None, None)
        return {
            "snapshot": self._snapshot_view(seen),
            "oldest_block_epoch": seen.oldest_block,
            "blocks": seen.blocks,
            "oldest_certificate": first,
            "newest_certificate": last,
            "certificates": seen.certificates,
            "newcomers": newcomers(seen),
            "journal_bytes": seen.database_bytes + seen.log_bytes,
            "journal_free_bytes": seen.free_bytes,
            "snapshot_bytes": seen.snapshot_bytes,
            "artefact_bytes": self._artefacts.total_bytes,
            "artefact_bytes_max": self._artefacts.total_limit_bytes,
            "disk_free_bytes": self._free_bytes,
            "keep": "all" if settings.keep_epochs is None else settings.keep_epochs,
            "keep_chain": "all" if settings.keep_chain is None else settings.keep_chain,
            "bounded": settings.keep_epochs is not None and settings.keep_chain is not None,
            "warnings": list(self.warnings()),
        }

    def _snapshot_view(self, seen: JournalSizes) -> Mapping[str, object] | None:
        if not seen.snapshots:
            return None
        return {
            "epoch": seen.snapshots[0].epoch - 1,
            "pages": seen.snapshots[0].pages,
            "bytes": seen.newest_snapshot_bytes,
            "written_ms": self._written_ms,
        }

    def warnings(self) -> tuple[str, ...]:
        """What keeps the disk from staying within its bounds, in sentences for people."""
        return () if self._seen is None else tuple(one.text for one in self._warnings(self._seen))

    def _warnings(self, seen: JournalSizes) -> Iterator[_Warning]:
        keep = self._settings.keep_epochs
        if self._pruning_failure:
            yield _Warning("pruning", f"nothing can be pruned: {self._pruning_failure}")
        ended = seen.snapshots[0].epoch if seen.snapshots else 0
        behind = self._epoch - ended
        if keep is not None and behind > LATE_EPOCHS:
            yield _Warning(
                "snapshot",
                f"the newest snapshot is {behind} epochs old, and only a newer one lets older "
                "blocks go: look for snapshot_failed in the log",
            )
        if keep is not None and self._settings.keep_chain is None:
            yield _Warning(
                "chain",
                "blocks are bounded by --keep, but certificates are kept for ever, about 4 KB an "
                "epoch with 32 members: bound them with --keep-chain",
            )
        wanted = seen.newest_snapshot_bytes + seen.log_bytes
        if self._free_bytes < wanted:
            yield _Warning(
                "space",
                f"the disk has {self._free_bytes:,} bytes left, and the next snapshot may need "
                f"{wanted:,}: free space, or move the data folder to a larger disk",
            )
        artefacts = self._artefacts.total_limit_bytes - self._artefacts.total_bytes
        if self._free_bytes < artefacts:
            yield _Warning(
                "artefacts",
                f"artefacts may take {artefacts:,} more bytes, and the disk has "
                f"{self._free_bytes:,} left: let them take less with --artefact-store-gib, free "
                "space, or move the data folder",
            )


def newcomers(seen: JournalSizes) -> str:
    """From when on a node could serve newcomers, in words."""
    span, ends = seen.certificate_span, [mark.epoch - 1 for mark in seen.snapshots]
    if span is None or not any(end <= span[1] for end in ends):
        return "none yet: no snapshot is certified"
    missing = span[1] + 1 - span[0] - seen.certificates
    if missing:
        return (
            f"with a --checkpoint behind all gaps: of the epochs from {span[0]} to {span[1]}, "
            f"{missing} have no certificate here; others need an archive"
        )
    if span[0] == 0:
        return "all, from genesis on"
    return f"with a --checkpoint of epoch {span[0]} or later; without one they need an archive"
