"""A proof file convinces of what is true under the reader's root, and of nothing else."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from p2pnode.cli.entry import main
from p2pnode.offline.proof_file import (
    FILE_BYTES_MAX,
    ProofFile,
    check_proof,
    plain_levels,
    read_proof,
    write_proof,
)
from protocol.compact import pack
from protocol.entries import ACCOUNT
from protocol.units import Digest
from tests.support.builders import account_id, make_state

STATE = make_state()
ANN = account_id(0)


def proof_of_ann() -> ProofFile:
    key = ACCOUNT.key(ANN)
    proof = STATE.tree.prove(key)
    return ProofFile(
        network="00",
        index=0,
        root=STATE.digest.hex(),
        kind="account",
        identifier=ANN.hex(),
        value=pack(STATE.accounts.of(ANN)).hex(),
        levels=plain_levels(proof),
        rows=proof.rows.hex(),
    )


def changed(tmp_path: Path, change: Callable[[dict[str, object]], object]) -> Path:
    path = tmp_path / "entry.proof"
    write_proof(path, proof_of_ann())
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_a_proof_survives_its_file(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda content: None)
    assert read_proof(path) == proof_of_ann()
    found = check_proof(read_proof(path), STATE.digest)
    assert found["ok"] is True
    assert found["entry"] == {
        "available": STATE.accounts.of(ANN).available,
        "staked": STATE.accounts.of(ANN).staked,
        "unbonding": [],
        "pledges": [],
        "accrual": {"index": 0, "fraction": 0, "earned": 0},
        "custody": None,
        "escrow": 0,
        "nonce": 0,
    }


def test_what_the_file_claims_beside_its_proof_is_not_believed() -> None:
    found = check_proof(proof_of_ann(), Digest(bytes(32)))
    assert (found["ok"], "entry" in found) == (False, False)
    assert "another root" in str(found["reason"])


@pytest.mark.parametrize(
    ("code", "says", "change"),
    [
        (1, "not about this key and value", lambda one: one.update(value="95")),
        (1, "not about this key and value", lambda one: one.update(value=None)),
        (1, "not about this key and value", lambda one: one.update(identifier="07" * 32)),
        (1, "not about this key and value", lambda one: one.update(kind="job")),
        (1, "another root", lambda one: one.update(levels=[[0, ""]])),
        (1, "sixteen branches", lambda one: one.update(levels=[[2**16 - 1, "00" * 512]])),
        (1, "no bucket so full", lambda one: one.update(rows="00" * 64 * 33)),
        (2, "hexadecimal", lambda one: one.update(rows="seven")),
        (2, "no entries of the kind", lambda one: one.update(kind="throne")),
        (2, "no proof of this version", lambda one: one.update(format="p2pnode proof 2")),
        (2, "no proof of this version", lambda one: one.update(more=1)),
        (2, "no proof of this version", lambda one: one.pop("rows")),
        (2, "no proof is larger", lambda one: one.update(rows="0" * FILE_BYTES_MAX)),
    ],
)
def test_a_tampered_file_is_refused_with_a_reason(
    code: int,
    says: str,
    change: Callable[[dict[str, object]], object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = changed(tmp_path, change)
    root = STATE.digest.hex()
    assert main(["ledger", "verify-proof", str(path), "--root", root]) == code
    assert says in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said_to_be_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = STATE.digest.hex()
    assert main(["ledger", "verify-proof", str(tmp_path / "none"), "--root", root]) == 2
    assert main(["ledger", "verify-proof", str(tmp_path / "none"), "--root", root[:9]]) == 2
    assert "ledger prove" in capsys.readouterr().err
