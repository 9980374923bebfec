"""An operator proves an account or a job from its own store; everything unprovable is said."""

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from p2pnode.cli.entry import main
from p2pnode.storage import StoredBlock, layout
from protocol.units import AccountId
from tests.p2pnode.offline.builders import settle_into, town_of_epochs, town_with_a_job

STRANGER = "07" * 32


@cache
def store() -> Path:
    return settle_into(Path(mkdtemp()) / "node", town_with_a_job())


def prove(folder: Path, *rest: str, data: Path | None = None) -> tuple[int, Path]:
    out = folder / "entry.proof"
    data = data or store()
    line = ["ledger", "prove", *rest, "--data-dir", str(data), "--out", str(out), "--json"]
    return main(line), out


def check(
    path: Path, root: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    code = main(["ledger", "verify-proof", str(path), "--root", root, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_an_account_and_a_job_are_proven(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    core = town_with_a_job().members[0].core
    root = core.state.digest.hex()
    code, path = prove(tmp_path, core.account.hex())
    made = json.loads(capsys.readouterr().out)
    assert (code, made["kind"], made["state_root"]) == (0, "account", root)
    assert made["final_index"] == core.state.index
    code, found = check(path, root, capsys)
    assert (code, found["ok"], found["present"]) == (0, True, True)
    entry = found["entry"]
    assert isinstance(entry, dict)
    assert entry["available"] == core.state.accounts.of(core.account).available
    (job,) = core.state.jobs
    assert prove(tmp_path, job.hex())[0] == 0
    _, found = check(path, root, capsys)
    entry = found["entry"]
    assert isinstance(entry, dict)
    assert (found["kind"], entry["phase"]) == ("job", core.state.jobs[job].phase.value)


def test_an_absence_is_proven_when_a_kind_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = town_with_a_job().members[0].core.state.digest.hex()
    assert (
        AccountId(bytes.fromhex(STRANGER)) not in town_with_a_job().members[0].core.state.accounts
    )
    code, path = prove(tmp_path, STRANGER)
    assert (code, path.exists()) == (2, False)
    assert "neither an account nor a job" in capsys.readouterr().err
    code, path = prove(tmp_path, STRANGER, "--kind", "job")
    assert code == 0
    code, found = check(path, root, capsys)
    assert (code, found["present"], found["entry"]) == (0, False, None)


def test_what_cannot_be_proven_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account = town_with_a_job().members[0].core.account.hex()
    assert prove(tmp_path, account[:20])[0] == 2
    assert prove(tmp_path, account, data=tmp_path)[0] == 2
    assert prove(tmp_path / "nowhere", account)[0] == 1
    assert "choose another --out" in capsys.readouterr().err


def test_a_damaged_store_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    town = town_with_a_job()
    data = settle_into(tmp_path / "damaged", town)
    block = next(one.raw for one in town.members[0].records if isinstance(one, StoredBlock))
    journal = layout(data).journal
    whole = journal.read_bytes()
    assert block in whole
    journal.write_bytes(whole.replace(block, block[:-1] + bytes([block[-1] ^ 1])))
    code, path = prove(tmp_path, town.members[0].core.account.hex(), data=data)
    assert (code, path.exists()) == (1, False)
    assert "proves nothing" in capsys.readouterr().err


def test_a_pruned_store_proves_from_its_newest_snapshot_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = town_of_epochs()
    core = town.members[0].core
    data = settle_into(tmp_path / "node", town, prunes=True)
    capsys.readouterr()
    code, path = prove(tmp_path, core.account.hex(), data=data)
    assert code == 0
    assert json.loads(capsys.readouterr().out)["final_index"] == core.state.index
    code, found = check(path, core.state.digest.hex(), capsys)
    assert (code, found["ok"], found["present"]) == (0, True, True)
