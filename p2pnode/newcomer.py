"""Before a node's core is made: whether it comes as a newcomer, and what it fetches if it does.

A fresh folder comes to the newest state by a certified snapshot instead of by all blocks since
genesis. So does a node that was away for so long that nobody has the blocks any more that it needs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
import trio

from p2pnode.arrival.arrival import ArrivalRefused, Way, arrive, has_trusted_end
from p2pnode.arrival.asking import Asking
from p2pnode.arrival.behind import BEHIND_NOTE, watch_history
from p2pnode.arrival.chain import HistoryForked
from p2pnode.arrival.company import Company
from p2pnode.arrival.pages import SNAPSHOT_BYTES_MAX, emptied
from p2pnode.arrival.progress import LoggedProgress, Progress, ShownProgress
from p2pnode.arrival.serving import Serving
from p2pnode.arrival.store import FETCHED_NOTE, JournalStore
from p2pnode.joining import Joined, JoinRefused, NobodyAnswered
from p2pnode.live_line import LiveLine
from p2pnode.network import Network, NetworkError
from p2pnode.settings import Settings
from p2pnode.storage import Journal, Note, PageShelf, StorageError, layout
from protocol.ledger.certified import TrustedEnd
from protocol.messages import Genesis
from protocol.units import MILLISECOND, Digest, Epoch

GATHER_SECONDS: Final = 10.0
"""For the peers to start from to answer a dial; whoever is slower is found later."""
BOOK_SECONDS: Final = 3.0
"""For the first peer out of the address book."""
POLL_SECONDS: Final = 0.1
PACE_MARGIN: Final = 4
"""Rounds may be so much quicker than honest nodes make them, and clocks wrong by as much."""
EPOCHS_MARGIN: Final = 16
CONFIRMED_NOTE: Final = "confirmed"
"""Under this name the journal remembers the trusted end that it was compared with: the certificate
of it may be pruned later."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A node as far as it is there before its core."""

    settings: Settings
    joined: Joined
    journal: Journal
    network: Network
    line: LiveLine | None = None
    """Where somebody watches; the log tells how far it is elsewhere."""


async def take_up_snapshot(newcomer: Newcomer) -> None:
    """Fetches the newest certified state into the journal, if this start needs one.

    Where nobody can be asked or nobody serves one, the node goes on by blocks. Other newcomers are
    answered from here on: two that start together must not wait for each other.

    Raises:
        JoinRefused: No peer shows the end that the operator trusts, or two histories are certified.
        StorageError: The disk refused.
    """
    shelf = PageShelf(layout(newcomer.settings.data_dir).arriving, SNAPSHOT_BYTES_MAX)
    store = JournalStore(newcomer.journal, shelf)
    Serving(store, newcomer.network)
    way = Way(newcomer.joined.genesis, _trusted(newcomer.settings))
    try:
        is_confirmed = await _is_confirmed(newcomer.journal, way, store)
        if is_confirmed and not _is_needed(newcomer):
            await emptied(shelf)  # an arrival that was stopped after its end, or given up
        else:
            await _fetch_snapshot(newcomer, way, store, must_trust=not is_confirmed)
        await _remember_trust(newcomer.journal, way)
    except (ArrivalRefused, HistoryForked) as refusal:
        raise JoinRefused(str(refusal)) from refusal


async def _is_confirmed(journal: Journal, way: Way, store: JournalStore) -> bool:
    """Whether the ledger here is known to have the end that the operator trusts, if one."""
    if way.trusted is None or journal.note(CONFIRMED_NOTE) == _confirmation(way.trusted):
        return True
    return await has_trusted_end(way, store)


async def _remember_trust(journal: Journal, way: Way) -> None:
    if way.trusted is not None and journal.note(CONFIRMED_NOTE) != _confirmation(way.trusted):
        await journal.append([Note(CONFIRMED_NOTE, _confirmation(way.trusted))])


def _confirmation(trusted: TrustedEnd) -> bytes:
    return trusted.epoch.to_bytes(8, "big") + trusted.boundary


async def _fetch_snapshot(
    newcomer: Newcomer, way: Way, store: JournalStore, *, must_trust: bool
) -> None:
    """Fetches what there is; without it a ledger that the operator does not trust must not grow."""
    if not await _gathered(newcomer.network, newcomer.settings.bootstrap):
        if must_trust:
            raise NobodyAnswered(
                "no peer could be asked for the end of the epoch that --checkpoint names: check "
                "that those given with --bootstrap run, or start without --checkpoint"
            )
        log.warning("nobody_to_ask", consequence="this node fetches all blocks when peers come")
        return
    company = _company(newcomer.network, newcomer.joined.genesis)
    line = newcomer.line
    progress: Progress = LoggedProgress() if line is None else ShownProgress(line)
    epoch = await arrive(way, store, company, progress)
    if line is not None:
        line.clear()
    if epoch is None and must_trust:
        raise ArrivalRefused(
            "peers show the end of the epoch that --checkpoint names, and none serves a snapshot "
            "of it or of a later one: try again later, or name other peers with --bootstrap"
        )
    if epoch is None:
        log.info("no_snapshot_taken", consequence="this node goes on by blocks")
    elif newcomer.journal.note(BEHIND_NOTE):
        await newcomer.journal.append([Note(BEHIND_NOTE, b"")])


async def watch_for_gap(newcomer: Newcomer, epoch_now: Callable[[], int]) -> None:
    """Says it when this node cannot catch up by blocks, and has the next start fetch a snapshot."""

    async def remember() -> None:
        try:
            await newcomer.journal.append([Note(BEHIND_NOTE, b"\1")])
        except StorageError as error:
            log.error("gap_not_noted", detail=str(error))

    def company() -> Company:
        return _company(newcomer.network, newcomer.joined.genesis)

    takes_snapshots = newcomer.settings.start_from == "snapshot"
    how = "restart this node" if takes_snapshots else "restart with --start-from snapshot"
    advice = f"{how}: it then fetches a certified state from its peers"
    await watch_history(epoch_now, company, remember, advice)


def _is_needed(newcomer: Newcomer) -> bool:
    """Whether blocks alone would not do, or would take long."""
    journal = newcomer.journal
    if newcomer.settings.start_from == "genesis":
        return False
    if journal.note(BEHIND_NOTE):
        return True
    has_state = bool(journal.snapshots())
    if not has_state and journal.note(FETCHED_NOTE):
        return True  # the state that was fetched is lost, and blocks before it were never here
    is_fresh = not has_state and next(journal.blocks(), None) is None
    return is_fresh and _epochs_possible(newcomer.joined.genesis) >= 1


def _trusted(settings: Settings) -> TrustedEnd | None:
    if settings.checkpoint is None:
        return None
    epoch, digest = settings.checkpoint
    return TrustedEnd(Epoch(epoch), Digest(digest))


def _epochs_possible(genesis: Genesis) -> int:
    """How many epochs can have ended since genesis, at the pace of honest nodes."""
    terms = genesis.parameters
    shortest_ms = max(1, terms.epoch_rounds_min * terms.minimum_round_ms)
    return (time.time_ns() // MILLISECOND - genesis.time_ms) // shortest_ms


def _company(network: Network, genesis: Genesis) -> Company:
    epochs_max = max(0, _epochs_possible(genesis)) * PACE_MARGIN + EPOCHS_MARGIN
    return Company(Asking(network), _accounts_of(network), epochs_max)


def _accounts_of(network: Network) -> Callable[[], list[bytes]]:
    return lambda: [one.account for one in network.peers()]


async def _gathered(network: Network, bootstrap: tuple[str, ...]) -> bool:
    """Dials the peers to start from; returns whether anybody is connected."""
    with trio.move_on_after(GATHER_SECONDS):
        async with trio.open_nursery() as nursery:
            for address in bootstrap:
                nursery.start_soon(_dial, network, address)
    with trio.move_on_after(BOOK_SECONDS):
        while not network.peers():  # noqa: ASYNC110  the network tells by an event that is not ours
            await trio.sleep(POLL_SECONDS)
    return bool(network.peers())


async def _dial(network: Network, address: str) -> None:
    try:
        await network.connect(address)
    except NetworkError as failure:
        log.debug("peer_to_start_from_away", address=address, detail=str(failure))
