"""What a node does for its store and its key besides the protocol."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import apsw
import pytest
import structlog
import trio
import trio.testing

from p2pnode.settings import Settings
from p2pnode.storage import ArtifactTooLarge, Journal, StorageFailed, open_artifacts
from p2pnode.storage.database import JOURNAL_FILE
from p2pnode.upkeep import (
    EXPIRE_SECONDS,
    PRUNE_SECONDS,
    KeyElsewhere,
    keep_bounded,
    may_sign,
    needed_content,
    stop_if_key_is_elsewhere,
    tend_content,
)
from protocol import effects as fx
from protocol.core import Core
from protocol.job.record import Phase
from protocol.state import State
from protocol.units import AccountId, Digest, Round
from tests.p2pnode.storage.builders import journal_in, slot
from tests.support.builders import HandLedger, account_id, make_offer


@dataclass
class FakeJournal:
    """Prunes as often as it was told to, and fails where it was told to."""

    left: list[bool | Exception]
    asked: list[tuple[float, int | None, int | None]] = field(default_factory=list)

    async def prune(self, keep_epochs: int | None, keep_chain: int | None) -> bool:
        self.asked.append((trio.current_time(), keep_epochs, keep_chain))
        answer = self.left.pop(0) if self.left else False
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_what_may_go_is_pruned_at_once_and_looked_for_again_later(
    autojump_clock: trio.testing.MockClock,
) -> None:
    journal = FakeJournal([True, True, StorageFailed("no space"), True])
    told: list[str] = []
    with trio.move_on_after(PRUNE_SECONDS + 1):
        await keep_bounded(cast(Journal, journal), Settings(Path(), keep_epochs=3), told.append)
    assert [keep for _, *keep in journal.asked] == [[3, None]] * 5
    times = [at - journal.asked[0][0] for at, *_ in journal.asked]
    assert times == [0, 0, 0, PRUNE_SECONDS, PRUNE_SECONDS]
    assert "no space" in told[0]
    assert told[1:] == [""]


async def test_certificates_are_bounded_by_themselves(
    autojump_clock: trio.testing.MockClock,
) -> None:
    journal = FakeJournal([])
    with trio.move_on_after(1):
        await keep_bounded(cast(Journal, journal), Settings(Path(), keep_chain=9))
    assert [keep for _, *keep in journal.asked] == [[None, 9]]


async def test_an_archive_prunes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    journal = FakeJournal([True])
    await keep_bounded(cast(Journal, journal), Settings(Path()))
    assert journal.asked == []


def test_a_key_that_is_in_use_elsewhere_ends_the_node_with_a_sentence() -> None:
    stop_if_key_is_elsewhere(fx.SittingOut(1, 2))
    with pytest.raises(KeyElsewhere, match=r"block of round 7 .* in one place only"):
        stop_if_key_is_elsewhere(fx.KeySeenElsewhere(Round(7)))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE own_slot SET digest = zeroblob(32) WHERE round = 2",
        "DELETE FROM own_slot WHERE round = 2",
    ],
)
async def test_a_node_that_forgot_what_it_signed_signs_nothing_and_says_so(
    damage: str, tmp_path: Path
) -> None:
    async with journal_in(tmp_path) as journal:
        await journal.append([slot(1), slot(2), slot(3)])
        assert may_sign(journal)
    connection = apsw.Connection(str(tmp_path / JOURNAL_FILE))
    connection.execute(damage)
    connection.close()
    async with journal_in(tmp_path) as journal:
        with structlog.testing.capture_logs() as said:
            assert not may_sign(journal)
    (row,) = said
    assert row["event"] == "own_slots_damaged"
    assert "own_slot" in row["detail"]
    assert "move the journal's files out of the data folder" in row["detail"]


@dataclass
class FakeCore:
    """What upkeep looks at of a core."""

    state: State
    account: AccountId


async def test_what_an_open_job_needs_stays_in_a_full_store(tmp_path: Path) -> None:
    store = await open_artifacts(tmp_path, 10, 30)
    artefact, one_input, output = [Digest(await store.put(bytes([n]) * 10)) for n in range(3)]
    ledger = HandLedger()
    job = ledger.start(make_offer(artefact=artefact, inputs=(one_input,)))
    await store.keep_output(output, job.identifier)
    executor = job.executors[0].account

    def needed(account: AccountId) -> frozenset[bytes]:
        return needed_content(cast(Core, FakeCore(ledger.state, account)), store)

    content = {artefact, one_input, output}
    assert (needed(executor), needed(job.requester)) == (content, content)
    assert needed(account_id(40)) == {output}, "a stranger to the job keeps what it made"
    store.needed = lambda: needed(executor)
    with pytest.raises(ArtifactTooLarge):
        await store.put(b"x" * 10)
    assert all(map(store.has, content))
    ledger.until(job.identifier, Phase.REFUNDED)
    assert needed(executor) == set()
    await store.put(b"x" * 10)


async def test_outputs_go_when_their_hours_are_over(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_artifacts(tmp_path, 10, 30)
    asked: list[float] = []

    async def expire(kept_seconds: float) -> int:
        asked.append(kept_seconds)
        if len(asked) == 1:
            raise StorageFailed("the disk is gone")
        return 1

    monkeypatch.setattr(store, "expire", expire)
    core = cast(Core, FakeCore(HandLedger().state, account_id(0)))
    with trio.move_on_after(EXPIRE_SECONDS + 1), structlog.testing.capture_logs() as logs:
        await tend_content(store, core, Settings(tmp_path, output_keep_hours=2))
    assert asked == [7_200, 7_200]
    assert [one["event"] for one in logs] == ["outputs_not_expired", "outputs_expired"]
    assert set(store.needed()) == set()
