"""The journal as newcomers fill it and are served out of it."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from p2pnode.arrival.arrival import Way, arrive
from p2pnode.arrival.serving import Serving
from p2pnode.arrival.store import JournalStore
from p2pnode.arrival.wire import NO_EPOCH, Standing
from p2pnode.cli.entry import main
from p2pnode.genesis import write_genesis
from p2pnode.storage import Journal, StoredBlock, layout, open_journal
from protocol.encoding import content_digest
from protocol.ledger.certified import TrustedEnd
from protocol.messages import network_of
from protocol.snapshot import decode_boundary
from tests.p2pnode.arrival.builders import (
    ENDS,
    Shown,
    company_of,
    history,
    peer,
    shelf_in,
    store_of,
)
from tests.p2pnode.fake_ports import FakeNetwork
from tests.support.builders import account_id

LAST = ENDS - 1
GENESIS = history().genesis
NETWORK = network_of(GENESIS)


def opened(folder: Path) -> AbstractAsyncContextManager[Journal]:
    folder.mkdir()
    return open_journal(folder, NETWORK, account_id(9), hash_block=content_digest)


async def test_what_a_newcomer_took_up_it_serves_to_the_next_one(tmp_path: Path) -> None:
    async with opened(tmp_path / "first") as journal:
        store = JournalStore(journal, shelf_in(tmp_path))
        assert await store.standing() == Standing(NO_EPOCH, NO_EPOCH, 0, ())
        company, _ = company_of(peer("one", store_of(history(), LAST - 1, LAST)))
        assert await arrive(Way(GENESIS, None), store, company, Shown()) == LAST
        assert await store.standing() == Standing(0, LAST, LAST + 1, (LAST,))
        (mark,) = journal.snapshots()
        assert decode_boundary(mark.boundary) == history().boundaries[LAST]
        assert tuple(journal.snapshot_pages(mark)) == history().pages[LAST]
        network = FakeNetwork(b"first".ljust(32, b"."))
        Serving(store, network.port)
        async with opened(tmp_path / "second") as other:
            company, _ = company_of(network)
            assert (
                await arrive(
                    Way(GENESIS, None), JournalStore(other, shelf_in(tmp_path)), company, Shown()
                )
                == LAST
            )
            assert tuple(other.snapshot_pages(other.snapshots()[0])) == history().pages[LAST]
            assert len(await other.certificates(0, 100)) == ENDS


async def test_a_chain_that_begins_at_a_checkpoint_is_served_from_there(tmp_path: Path) -> None:
    trusted = TrustedEnd(history().boundaries[3].epoch, history().boundaries[3].digest)
    async with opened(tmp_path / "node") as journal:
        store = JournalStore(journal, shelf_in(tmp_path))
        company, _ = company_of(peer("one", store_of(history(), LAST)))
        await arrive(Way(GENESIS, trusted), store, company, Shown())
        assert (await store.standing()).first_certificate == 3
        assert await store.certificates(0, 5) == []
        assert await store.certificates(3, 5) == history().certificates[3:]
        # The own chain goes on from the checkpoint, with nothing said by hand any more.
        again, _ = company_of(peer("one", store_of(history(), LAST)))
        assert await arrive(Way(GENESIS, None), store, again, Shown()) is None


@pytest.mark.parametrize("blocks", [0, 2])
async def test_the_oldest_epoch_that_can_be_sent_is_that_of_the_first_block(
    blocks: int, tmp_path: Path
) -> None:
    async with opened(tmp_path / "node") as journal:
        raws = [bytes([number]) for number in range(blocks)]
        await journal.append([StoredBlock(content_digest(raw), 0, 1, 7, raw) for raw in raws])
        assert (await JournalStore(journal, shelf_in(tmp_path)).standing()).first_blocks == (
            7 if blocks else 0
        )


async def test_a_ledger_with_a_gap_is_served_from_behind_it_and_not_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A node that was away for long has old blocks, none of some epochs, and a fetched state."""
    data = tmp_path / "node"
    boundary, pages = history().boundaries[LAST], history().pages[LAST]
    async with opened(data) as journal:
        write_genesis(layout(data).genesis, GENESIS)
        store = JournalStore(journal, shelf_in(tmp_path))
        await journal.append([StoredBlock(content_digest(b"old"), 0, 1, 0, b"old")])
        await store.install(boundary, pages)
        await journal.append([StoredBlock(content_digest(b"new"), 0, 1, LAST + 1, b"new")])
        assert (await store.standing()).first_blocks == LAST + 1
        export = ["ledger", "export", "--data-dir", str(data), "--out", str(tmp_path / "out")]
        assert main(export) == 1
        assert "export from a node that keeps all" in capsys.readouterr().err
        # Had it fetched that epoch's blocks all the same, there would be no gap.
        await journal.append([StoredBlock(content_digest(b"last"), 0, 1, LAST, b"last")])
        assert (await store.standing()).first_blocks == 0


async def test_a_certificate_that_is_here_stays_as_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path / "node") as journal:
        store = JournalStore(journal, shelf_in(tmp_path))
        await store.keep_certificates(history().boundaries[0].epoch, [b"first", b"second"])
        await store.keep_certificates(history().boundaries[1].epoch, [b"another", b"third"])
        assert await store.certificates(0, 9) == [b"first", b"second", b"third"]
