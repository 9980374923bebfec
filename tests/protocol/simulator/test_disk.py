from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import decode
from protocol.ledger.certificate import Boundary
from protocol.simulator.disk import RESTORED_BLOCKS, Disk
from protocol.snapshot import Snapshot
from protocol.units import AccountId, CommitIndex, Digest, Epoch, JobId, Round
from protocol.wire import BlockBatch

PEER = AccountId(bytes(32))
NOTHING = Digest(bytes(32))
END = Boundary(NOTHING, Epoch(0), CommitIndex(9), NOTHING, NOTHING, NOTHING, NOTHING)
SNAPSHOT = Snapshot(END, ())


def block(number: int, author: int = 0, slot_round: int = 1, size: int = 10) -> fx.PersistBlock:
    raw = number.to_bytes(2, "big") * (size // 2)
    return fx.PersistBlock(digest(number), 0, Round(slot_round), author, raw)


def digest(number: int) -> Digest:
    return Digest(number.to_bytes(32, "big"))


def slot(number: int, signed: int = 0) -> fx.PersistSlot:
    return fx.PersistSlot(0, Round(number), digest(signed))


def answer(disk: Disk, request: fx.SendStoredBlocks) -> tuple[bytes, ...]:
    return decode(disk.answer(request), BlockBatch, 1_000_000).blocks


def kept(*effects: fx.Persist) -> Disk:
    disk = Disk()
    for effect in effects:
        disk.write(effect)
    disk.sync()
    return disk


def test_a_crash_takes_what_was_not_synced() -> None:
    disk = kept(block(1))
    disk.write(block(2))
    assert disk.is_dirty
    disk.crash(keeps=False)
    assert next(disk.restore()) == ev.BlocksRestored((block(1).raw,))
    assert disk.lost == 1


def test_a_crash_just_after_the_sync_keeps_the_batch_whole() -> None:
    disk = Disk()
    disk.write(block(1))
    disk.write(block(2))
    disk.crash(keeps=True)
    assert next(disk.restore()) == ev.BlocksRestored((block(1).raw, block(2).raw))
    assert disk.lost == 0


def test_a_start_yields_blocks_in_order_and_then_all_that_was_signed() -> None:
    disk = kept(
        block(2),
        block(1),
        slot(3),
        slot(2),
        fx.PersistOperation(digest(9), 1, b"second"),
        fx.PersistOperation(digest(8), 0, b"first"),
        fx.PersistReveal(JobId(bytes(32)), b"reveal"),
    )
    assert list(disk.restore()) == [
        ev.BlocksRestored((block(2).raw, block(1).raw)),
        ev.Restored(3, (b"first", b"second"), (b"reveal",)),
    ]


def test_many_blocks_are_restored_in_parts() -> None:
    disk = kept(*(block(number) for number in range(RESTORED_BLOCKS + 1)))
    parts = [event.blocks for event in disk.restore() if isinstance(event, ev.BlocksRestored)]
    assert [len(part) for part in parts] == [RESTORED_BLOCKS, 1]


def test_an_answer_has_the_wanted_blocks_first_and_then_what_is_new() -> None:
    disk = kept(block(1, 0, 1), block(2, 1, 1), block(3, 0, 2), block(4, 1, 2))
    request = fx.SendStoredBlocks(PEER, (digest(4), digest(9)), (1, 0), 1_000, 0)
    assert answer(disk, request) == (block(4).raw, block(2).raw, block(3).raw)


def test_an_answer_without_rounds_has_only_what_was_named() -> None:
    disk = kept(block(1), block(2))
    request = fx.SendStoredBlocks(PEER, (digest(2),), (), 1_000, 0)
    assert answer(disk, request) == (block(2).raw,)


def test_an_answer_keeps_its_limit() -> None:
    disk = kept(block(1, size=400), block(2, size=400), block(3, size=400))
    assert len(answer(disk, fx.SendStoredBlocks(PEER, (), (0,), 1_000, 0))) == 2


def test_a_second_block_for_one_slot_is_noticed() -> None:
    disk = kept(slot(5, 1), slot(5, 2))
    assert disk.contradictions == [(0, 5)]


def test_a_copy_keeps_what_was_safe_and_goes_its_own_way() -> None:
    disk = kept(block(1), slot(4))
    disk.write(slot(5))
    copy = disk.copy()
    disk.sync()
    assert (copy.last_slot, disk.last_slot, Disk().last_slot) == ((0, 4), (0, 5), (0, 0))
    copy.write(slot(5, signed=1))
    copy.sync()
    assert (disk.contradictions, copy.contradictions) == ([], [])
    assert next(copy.restore()) == ev.BlocksRestored((block(1).raw,))


def test_a_torn_batch_is_dropped_at_the_next_start() -> None:
    disk = kept(block(1))
    for write in (block(2), slot(5), block(3)):
        disk.write(write)
    assert disk.unsynced == 3
    disk.tear(2)
    assert list(disk.restore()) == [
        ev.BlocksRestored((block(1).raw,)),
        ev.Restored(0, (), ()),
    ]
    assert (disk.lost, disk.dropped, disk.is_dirty) == (1, 2, False)


def test_without_checksums_a_torn_batch_comes_back_in_part() -> None:
    disk = kept(block(1))
    disk.has_checksums = False
    for write in (block(2), slot(5), block(3)):
        disk.write(write)
    disk.tear(1)
    assert list(disk.restore()) == [
        ev.BlocksRestored((block(1).raw, block(2).raw)),
        ev.Restored(0, (), ()),
    ]
    assert (disk.signed, disk.dropped) == (0, 0)


def test_a_reveal_goes_once_its_job_is_over_in_both_snapshots() -> None:
    spent, kept_on = JobId(bytes(32)), JobId(b"1" * 32)
    disk = kept(fx.PersistReveal(spent, b"spent"), fx.PersistReveal(kept_on, b"kept"))
    disk.keep_snapshot(SNAPSHOT, (spent,))
    assert reveals_of(disk) == (b"spent", b"kept")
    disk.keep_snapshot(SNAPSHOT)
    assert reveals_of(disk) == (b"kept",)
    disk.keep_snapshot(SNAPSHOT)
    assert reveals_of(disk) == (b"kept",)


def reveals_of(disk: Disk) -> tuple[bytes, ...]:
    """What a start is given."""
    *_, end = disk.restore()
    assert isinstance(end, ev.Restored)
    return end.reveals


def test_a_start_is_told_the_last_commit_that_was_final() -> None:
    commits = [fx.PersistCommit(CommitIndex(at), digest(at), digest(9)) for at in (4, 6, 5)]
    assert list(kept(*commits).restore()) == [ev.Restored(0, (), (), final_index=CommitIndex(6))]
