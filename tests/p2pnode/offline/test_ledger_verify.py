import json
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from p2pnode.cli.entry import main
from p2pnode.genesis import write_genesis
from p2pnode.storage import FinalCommit, JournalRecord, OwnSlot, StoredBlock, layout
from tests.p2pnode.offline.builders import (
    block_count,
    settle_into,
    town_of_epochs,
    town_with_a_job,
)
from tests.support.builders import make_genesis


def verify(data: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    code = main(["ledger", "verify", "--data-dir", str(data), "--json"])
    return code, json.loads(capsys.readouterr().out)


def with_records(folder: Path, records: list[JournalRecord]) -> Path:
    town = town_with_a_job()
    changed = replace(town, members=[replace(town.members[0], records=records)])
    return settle_into(folder, changed)


def spoil(data: Path, content: bytes, place: int) -> None:
    """Flips one bit of what the journal holds."""
    journal = layout(data).journal
    whole = journal.read_bytes()
    assert content in whole
    journal.write_bytes(
        whole.replace(content, bytes([*content[:place], content[place] ^ 1, *content[place + 1 :]]))
    )


def test_an_honest_store_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    town = town_with_a_job()
    code, found = verify(settle_into(tmp_path / "node", town), capsys)
    state = town.members[0].core.state
    assert (code, found["ok"], found["first_bad"]) == (0, True, None)
    assert (found["entries"], found["final_index"]) == (block_count(), state.index)
    assert found["state_digest"] == state.digest.hex()


@pytest.mark.parametrize(("place", "code"), [(90, "damaged"), (-1, "bad_signature")])
def test_a_flipped_bit_in_a_block_is_named(
    place: int, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = town_with_a_job()
    data = settle_into(tmp_path / "node", town)
    blocks = [one for one in town.members[0].records if isinstance(one, StoredBlock)]
    raw = blocks[3].raw
    spoil(data, raw, place % len(raw))
    ending, found = verify(data, capsys)
    bad = found["first_bad"]
    assert isinstance(bad, dict)
    assert (ending, bad["index"], bad["code"], found["entries"]) == (1, 4, code, 3)


def test_a_final_that_the_blocks_contradict_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        replace(one, state_digest=bytes(32))
        if isinstance(one, FinalCommit) and one.index == 5
        else one
        for one in town_with_a_job().members[0].records
    ]
    code, found = verify(with_records(tmp_path / "node", records), capsys)
    bad = found["first_bad"]
    assert isinstance(bad, dict)
    assert (code, bad["code"]) == (1, "state_differs")
    assert "commit 5" in bad["detail"]


def test_a_final_without_its_blocks_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = list(town_with_a_job().members[0].records)
    last = max(place for place, one in enumerate(records) if isinstance(one, FinalCommit))
    kept = [one for one in records[: last - 12] if isinstance(one, StoredBlock)]
    code, found = verify(with_records(tmp_path / "node", [*kept, records[last]]), capsys)
    bad = found["first_bad"]
    assert isinstance(bad, dict)
    assert (code, bad["code"], bad["index"]) == (1, "final_not_reached", len(kept))


def test_a_changed_row_of_signed_slots_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slot = OwnSlot(0, 9_999, b"s" * 32)
    data = with_records(tmp_path / "node", [*town_with_a_job().members[0].records, slot])
    spoil(data, slot.digest, 3)
    code, found = verify(data, capsys)
    bad = found["first_bad"]
    assert isinstance(bad, dict)
    assert (code, bad["code"]) == (1, "damaged")


def test_the_genesis_of_another_network_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = settle_into(tmp_path / "node", town_with_a_job())
    write_genesis(layout(data).genesis, make_genesis(validators=5))
    code, found = verify(data, capsys)
    bad = found["first_bad"]
    assert isinstance(bad, dict)
    assert (code, bad["index"], bad["code"]) == (1, 1, "wrong_network")


def test_a_journal_that_is_no_database_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = settle_into(tmp_path / "node", town_with_a_job())
    layout(data).journal.write_bytes(b"nothing at all" * 1_000)
    code, found = verify(data, capsys)
    bad = found["first_bad"]
    assert isinstance(bad, dict)
    assert (code, bad["index"], bad["code"]) == (1, 0, "damaged")


def test_a_folder_without_a_node_is_a_mistake_of_the_line(tmp_path: Path) -> None:
    assert main(["ledger", "verify", "--data-dir", str(tmp_path)]) == 2


def test_a_pruned_store_is_verified_from_its_snapshot_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = town_of_epochs()
    state = town.members[0].core.state
    data = settle_into(tmp_path / "node", town, prunes=True)
    code, found = verify(data, capsys)
    blocks = [one for one in town.members[0].records if isinstance(one, StoredBlock)]
    left = [block for block in blocks if block.epoch == state.committee.epoch]
    assert (code, found["ok"], found["final_index"]) == (0, True, state.index)
    assert found["state_digest"] == state.digest.hex()
    assert found["entries"] == len(left) < len(blocks)
    spoil(data, left[-1].raw, 90)
    ending, found = verify(data, capsys)
    bad = found["first_bad"]
    assert isinstance(bad, dict)
    assert (ending, bad["index"], bad["code"]) == (1, len(blocks), "damaged")


def test_a_pruned_store_without_its_snapshots_cannot_be_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = settle_into(tmp_path / "node", town_of_epochs(), prunes=True)
    connection = apsw.Connection(str(layout(data).journal))
    connection.execute("UPDATE snapshot_page SET raw = x'00'")
    assert connection.changes() == 2
    connection.close()
    capsys.readouterr()
    assert main(["ledger", "verify", "--data-dir", str(data), "--json"]) == 1
    assert "no snapshot in this data folder is intact" in capsys.readouterr().err
