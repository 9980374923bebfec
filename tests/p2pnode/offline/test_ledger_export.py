import json
from dataclasses import replace
from pathlib import Path

import pytest

from p2pnode.cli.entry import main
from p2pnode.offline.export_file import Entry, Header, RecordedFinal, Trailer, read_frames
from p2pnode.storage import FinalCommit, StoredBlock, layout, open_journal
from protocol.encoding import encode
from protocol.units import Digest
from tests.p2pnode.offline.builders import (
    block_digest,
    settle_into,
    town_with_a_job,
)


def export(data: Path, out: Path) -> int:
    return main(["ledger", "export", "--data-dir", str(data), "--out", str(out), "--json"])


def test_an_export_holds_genesis_finals_and_blocks_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = town_with_a_job()
    out = tmp_path / "out.ledger"
    assert export(settle_into(tmp_path / "node", town), out) == 0
    told = json.loads(capsys.readouterr().out)
    with out.open("rb") as stream:
        header, *frames, trailer = read_frames(stream)
    records = town.members[0].records
    assert header == Header(town.members[0].core.network, encode(town.genesis))
    finals = [
        RecordedFinal(record.index, Digest(record.digest), Digest(record.state_digest))
        for record in records
        if isinstance(record, FinalCommit)
    ]
    blocks = [Entry(record.raw) for record in records if isinstance(record, StoredBlock)]
    assert frames == [*finals, *blocks]
    assert isinstance(trailer, Trailer)
    assert (trailer.entries, trailer.final) == (len(blocks), finals[-1])
    assert told == {
        "file": str(out),
        "size_bytes": out.stat().st_size,
        "entries": len(blocks),
        "final_index": finals[-1].index,
        "commit_digest": finals[-1].commit_digest.hex(),
        "state_digest": finals[-1].state_digest.hex(),
        "checksum": trailer.checksum.hex(),
    }


async def test_an_export_works_beside_the_node_that_writes(tmp_path: Path) -> None:
    town = town_with_a_job()
    member = town.members[0]
    data = tmp_path / "node"
    data.mkdir()
    layout(data).genesis.write_bytes(encode(town.genesis))
    network, account = member.core.network, member.core.account
    async with open_journal(data, network, account, hash_block=block_digest) as journal:
        await journal.append(member.records[:60])
        assert export(data, tmp_path / "early") == 0
        await journal.append(member.records[60:])
        assert export(data, tmp_path / "late") == 0
    for name in ("early", "late"):
        assert main(["ledger", "audit", str(tmp_path / name)]) == 0
    assert (tmp_path / "early").stat().st_size < (tmp_path / "late").stat().st_size
    assert main(["ledger", "compare", str(tmp_path / "early"), str(tmp_path / "late")]) == 0


def test_a_node_without_blocks_can_be_exported_and_audited(tmp_path: Path) -> None:
    town = town_with_a_job()
    silent = replace(town, members=[replace(town.members[0], records=[])])
    out = tmp_path / "out"
    assert export(settle_into(tmp_path / "node", silent), out) == 0
    assert main(["ledger", "audit", str(out)]) == 0


def test_a_folder_that_is_none_of_a_node_is_a_mistake_of_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(tmp_path / "nowhere", tmp_path / "out") == 2
    assert "no data folder of a node" in capsys.readouterr().err
    data = settle_into(tmp_path / "node", town_with_a_job())
    layout(data).journal.unlink()
    assert export(data, tmp_path / "out") == 2
    assert "there is no journal" in capsys.readouterr().err
    assert export(data, tmp_path / "no" / "out") == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_damaged_store_is_not_exported_and_leaves_the_old_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = town_with_a_job()
    data = settle_into(tmp_path / "node", town)
    out = tmp_path / "out"
    out.write_bytes(b"old")
    journal = layout(data).journal
    raw = next(one.raw for one in town.members[0].records if isinstance(one, StoredBlock))
    content = journal.read_bytes()
    assert raw in content
    journal.write_bytes(content.replace(raw, bytes([*raw[:90], raw[90] ^ 1, *raw[91:]])))
    assert export(data, out) == 1
    assert "damaged data: the content of a block, sequence 1" in capsys.readouterr().err
    assert out.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node", "out"]


async def test_a_dropped_block_keeps_the_ledger_from_being_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = town_with_a_job()
    member = town.members[0]
    data = tmp_path / "node"
    data.mkdir()
    layout(data).genesis.write_bytes(encode(town.genesis))
    blocks = [record for record in member.records if isinstance(record, StoredBlock)]
    network, account = member.core.network, member.core.account
    async with open_journal(data, network, account, hash_block=block_digest) as journal:
        await journal.append(member.records)
        await journal.forget_damaged(blocks[6].digest)
    assert export(data, tmp_path / "out") == 1
    assert "block 7 was dropped as damaged" in capsys.readouterr().err
    assert main(["ledger", "verify", "--data-dir", str(data), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["first_bad"]["code"] == "dropped"
