"""Whether a start fetches a snapshot, whom it asks, and what it says when it cannot."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time_ns
from types import SimpleNamespace

import pytest
import structlog
import trio
import trio.testing
from msgspec.structs import replace

from p2pnode.arrival import wire
from p2pnode.arrival.behind import BEHIND_NOTE
from p2pnode.arrival.store import FETCHED_NOTE
from p2pnode.joining import Joined, JoinRefused, NobodyAnswered
from p2pnode.network import PeerUnreachable
from p2pnode.newcomer import Newcomer, take_up_snapshot
from p2pnode.settings import Settings
from p2pnode.storage import Note, StoredBlock, layout, open_journal
from protocol.encoding import content_digest
from protocol.messages import network_of
from tests.p2pnode.arrival.builders import ENDS, history, peer, store_of
from tests.p2pnode.fake_ports import FakeNetwork
from tests.support.builders import account_id

LAST = ENDS - 1
GENESIS = history().genesis
ADDRESS = "/ip4/192.0.2.1/tcp/1/p2p/x"


@dataclass
class Crowd(FakeNetwork):
    """A network whose peers are there once somebody dialled."""

    dialled: list[str] = field(default_factory=list)

    def peers(self) -> tuple[object, ...]:
        known = self.others if self.dialled else {}
        return tuple(SimpleNamespace(account=account) for account in known)

    async def connect(self, address: str) -> bytes:
        self.dialled.append(address)
        if not self.others:
            raise PeerUnreachable("nobody answers there")
        return next(iter(self.others))


@asynccontextmanager
async def newcomer(
    folder: Path, *peers: FakeNetwork, now_ms: int = 0, **changes: object
) -> AsyncIterator[tuple[Newcomer, Crowd]]:
    """A node before its core is made, `now_ms` after genesis or years after it."""
    genesis = replace(GENESIS, time_ms=time_ns() // 10**6 - now_ms) if now_ms else GENESIS
    network = Crowd()
    network.knows(*peers)
    choices = {"bootstrap": (ADDRESS,)} | changes
    settings = Settings(folder, **choices)  # type: ignore[arg-type]  # as the fields are
    name = network_of(genesis)
    async with open_journal(folder, name, account_id(9), hash_block=content_digest) as journal:
        joined = Joined(genesis, name, is_new=False, is_verified=True)
        yield Newcomer(settings, joined, journal, network.port), network


def server(name: str = "one") -> FakeNetwork:
    return peer(name, store_of(history(), LAST))


async def test_a_fresh_folder_takes_up_a_snapshot_and_serves_from_then_on(tmp_path: Path) -> None:
    async with newcomer(tmp_path, server()) as (node, network):
        await take_up_snapshot(node)
        assert [one.epoch for one in node.journal.snapshots()] == [LAST + 1]
        assert network.dialled == [ADDRESS]
        assert wire.PAGE_KIND in network.handlers
        asked = len(network.asked)
        await take_up_snapshot(node)
        assert len(network.asked) == asked, "now it starts from its own"


async def test_what_cannot_be_dropped_of_an_arrival_keeps_no_node_from_starting(
    tmp_path: Path,
) -> None:
    async with newcomer(tmp_path, start_from="genesis") as (node, network):
        layout(tmp_path).arriving.write_bytes(b"a file instead of the folder")
        with structlog.testing.capture_logs() as logs:
            await take_up_snapshot(node)
        assert [one["event"] for one in logs] == ["pages_not_dropped"]
        assert wire.PAGE_KIND in network.handlers


async def test_a_network_that_is_too_young_for_an_end_is_not_asked(tmp_path: Path) -> None:
    async with newcomer(tmp_path, server(), now_ms=1) as (node, network):
        await take_up_snapshot(node)
        assert (network.dialled, network.asked) == ([], [])
        assert wire.STANDING_KIND in network.handlers, "others are answered all the same"


async def test_who_has_blocks_goes_on_with_them_unless_nobody_has_the_next_ones(
    tmp_path: Path,
) -> None:
    async with newcomer(tmp_path, server()) as (node, network):
        await node.journal.append([StoredBlock(content_digest(b"block"), 0, 1, 0, b"block")])
        await take_up_snapshot(node)
        assert network.asked == []
        await node.journal.append([Note(BEHIND_NOTE, b"\1")])
        await take_up_snapshot(node)
        assert [one.epoch for one in node.journal.snapshots()] == [LAST + 1]
        assert not node.journal.note(BEHIND_NOTE)


async def test_a_fetched_state_that_is_lost_is_fetched_again(tmp_path: Path) -> None:
    async with newcomer(tmp_path, server()) as (node, _):
        await node.journal.append([Note(FETCHED_NOTE, (2).to_bytes(8, "big"))])
        await node.journal.append([StoredBlock(content_digest(b"block"), 0, 1, 3, b"block")])
        await take_up_snapshot(node)
        assert [one.epoch for one in node.journal.snapshots()] == [LAST + 1]


async def test_an_archive_fetches_all_blocks(tmp_path: Path) -> None:
    async with newcomer(tmp_path, server(), start_from="genesis") as (node, network):
        await node.journal.append([Note(BEHIND_NOTE, b"\1")])
        await take_up_snapshot(node)
        assert (network.asked, node.journal.snapshots()) == ([], ())


async def test_nobody_to_ask_is_said_and_no_obstacle(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with newcomer(tmp_path) as (node, _):
        with structlog.testing.capture_logs() as logs:
            await take_up_snapshot(node)
        assert "nobody_to_ask" in [one["event"] for one in logs]
        assert node.journal.snapshots() == ()


async def test_a_checkpoint_that_nobody_can_show_keeps_the_node_from_starting(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with newcomer(tmp_path, checkpoint=(3, bytes(32))) as (node, _):
        with pytest.raises(NobodyAnswered, match="without --checkpoint"):
            await take_up_snapshot(node)


async def test_a_checkpoint_that_all_contradict_keeps_the_node_from_starting(
    tmp_path: Path,
) -> None:
    async with newcomer(tmp_path, server(), checkpoint=(3, bytes(32))) as (node, _):
        with pytest.raises(JoinRefused, match="contradicts --checkpoint 3:00"):
            await take_up_snapshot(node)
        assert node.journal.snapshots() == ()
    right = (3, history().boundaries[3].digest)
    async with newcomer(tmp_path, server(), checkpoint=right) as (node, network):
        await take_up_snapshot(node)
        assert node.journal.certificate_span() == (3, LAST)
        asked = len(network.asked)
        await take_up_snapshot(node)
        assert len(network.asked) == asked, "its own chain shows that end"
    async with newcomer(tmp_path, checkpoint=right) as (node, _):
        await take_up_snapshot(node)
    async with newcomer(tmp_path, server(), checkpoint=(3, bytes(32))) as (node, network):
        with pytest.raises(JoinRefused, match="the ledger in this data folder has another end"):
            await take_up_snapshot(node)
        assert network.asked == []


async def test_a_checkpoint_that_was_confirmed_may_be_pruned_later(tmp_path: Path) -> None:
    right = (3, history().boundaries[3].digest)
    async with newcomer(tmp_path, server(), checkpoint=right) as (node, _):
        await take_up_snapshot(node)
        while await node.journal.prune(None, 0):
            pass
        assert node.journal.certificate_span() == (LAST, LAST)
    async with newcomer(tmp_path, checkpoint=right) as (node, network):
        await take_up_snapshot(node)
        assert network.dialled == [], "it is known that this ledger has that end"
    async with newcomer(tmp_path, server(), checkpoint=(3, bytes(32))) as (node, _):
        with pytest.raises(JoinRefused, match=rf"keeps certificates from epoch {LAST} on"):
            await take_up_snapshot(node)


async def test_a_trusted_end_without_a_snapshot_leads_to_no_ledger_from_genesis(
    tmp_path: Path,
) -> None:
    right = (3, history().boundaries[3].digest)
    bare = peer("one", store_of(history()))
    async with newcomer(tmp_path, bare, checkpoint=right) as (node, _):
        with pytest.raises(JoinRefused, match="none serves a snapshot"):
            await take_up_snapshot(node)
