"""What is said of a journal's size is what lies on the disk."""

from pathlib import Path

from p2pnode.storage import StoredCertificate, open_readonly
from p2pnode.storage.database import JOURNAL_FILE
from tests.p2pnode.storage.builders import block, digest_of, journal_in
from tests.p2pnode.storage.test_journal_pruning import fill, mark, prune


async def test_an_empty_journal_has_nothing_but_its_file(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        seen = await journal.sizes()
    assert (seen.oldest_block, seen.certificate_span, seen.snapshots) == (None, None, ())
    assert (seen.blocks, seen.certificates, seen.snapshot_bytes) == (0, 0, 0)
    assert seen.database_bytes + seen.log_bytes > 0


async def test_what_is_kept_is_counted_and_what_was_pruned_is_free(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await fill(journal, range(6), ())
        await journal.append([block(1, 70, size_bytes=50_000)])
        await journal.append([StoredCertificate(epoch, b"c") for epoch in range(2, 5)])
        for epoch in (3, 4):
            await journal.write_snapshot(mark(epoch), iter([b"p" * 10_000, b"p" * 500]))
        before = await journal.sizes()
        assert (before.oldest_block, before.blocks) == (0, 61)
        assert (before.certificates, before.certificate_span) == (3, (2, 4))
        assert [one.epoch for one in before.snapshots] == [4, 3]
        assert (before.newest_snapshot_bytes, before.snapshot_bytes) == (10_500, 21_000)
        await prune(journal, 0)
        seen = await journal.sizes()
        assert (seen.oldest_block, seen.blocks) == (4, 21)
    with open_readonly(tmp_path, digest_of) as reader:
        closed = reader.sizes()
    assert closed.database_bytes == (tmp_path / JOURNAL_FILE).stat().st_size
    assert closed.free_bytes > before.free_bytes
    assert closed.free_bytes % 4_096 == 0
