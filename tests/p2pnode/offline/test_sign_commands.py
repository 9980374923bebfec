"""What is signed on one machine is what a ledger takes in, once, and nothing else."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pnode.cli.entry import main
from p2pnode.storage import NodeSeeds, load_or_create_seeds
from p2pnode.storage.keys import create_seeds
from protocol.balances import Custody
from protocol.messages import CustodyTerms, VerifiedOperation, network_of, open_operation
from protocol.signing import REAL, account_of
from protocol.units import CREDIT, AccountId
from tests.support.builders import RICHES, HandLedger, account_id, account_seed, make_genesis

Capture = pytest.CaptureFixture[str]
HOT, COLD = account_id(1), account_id(8)
ALLOWANCE = 20 * CREDIT


def make_ledger() -> HandLedger:
    genesis = make_genesis(1, others=(1, 8))
    return HandLedger(replace(genesis, custodies=(CustodyTerms(HOT, COLD, ALLOWANCE),)))


def make_key(folder: Path, number: int) -> Path:
    path = folder / f"key{number}"
    create_seeds(path, NodeSeeds(account_seed(number), bytes(32)))
    return path


def signed_file(folder: Path, ledger: HandLedger, number: int, *action: str) -> Path:
    out = folder / f"signed-{number}-{action[0]}"
    network = network_of(ledger.genesis).hex()
    nonce = str(ledger.state.next_nonce(account_id(number)))
    key = folder / f"key{number}"
    if not key.exists():
        make_key(folder, number)
    options = ["--key", str(key), "--network", network, "--nonce", nonce, "--out", str(out)]
    assert main(["sign", *options, *action]) == 0
    return out


def opened(path: Path, ledger: HandLedger) -> VerifiedOperation:
    raw = bytes.fromhex(path.read_text())
    return open_operation(raw, network_of(ledger.genesis), REAL)


def test_a_cold_key_unbonds_withdraws_and_sets_terms_from_files(tmp_path: Path) -> None:
    ledger = make_ledger()
    for action in (
        ("withdraw", HOT.hex(), "12.5"),
        ("terms", HOT.hex(), COLD.hex(), "3"),
        ("transfer", account_id(3).hex(), "2"),
    ):
        facts = ledger.commit(opened(signed_file(tmp_path, ledger, 8, *action), ledger))
        assert [type(fact).__name__ for fact in facts] == ["OperationApplied"]
    accounts = ledger.state.accounts
    assert accounts.of(HOT).available == RICHES - 12_500_000
    assert accounts.of(HOT).custody == Custody(COLD, 3 * CREDIT)
    assert accounts.of(account_id(3)).available == 2 * CREDIT


def test_an_account_entrusts_itself(tmp_path: Path, capsys: Capture) -> None:
    ledger = HandLedger(make_genesis(1, others=(1, 8)))
    path = signed_file(tmp_path, ledger, 1, "entrust", COLD.hex(), "5")
    assert f"{HOT.hex()} pays out only to {COLD.hex()}; it may spend 5 credits" in (
        capsys.readouterr().out
    )
    ledger.commit(opened(path, ledger))
    assert ledger.state.accounts.of(HOT).custody == Custody(COLD, 5 * CREDIT)


def test_the_file_holds_no_secret(tmp_path: Path, capsys: Capture) -> None:
    ledger = make_ledger()
    path = signed_file(tmp_path, ledger, 8, "unstake", HOT.hex(), "1")
    seed = load_or_create_seeds(tmp_path / "key8").signing
    assert account_of(seed) == COLD
    assert seed.hex() not in path.read_text() + capsys.readouterr().out


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (("withdraw", HOT.hex(), "0"), "more than nothing"),
        (("withdraw", HOT.hex(), "-1"), "is not an amount of credits"),
        (("withdraw", "12ab", "1"), "write all of its 64 hexadecimal digits"),
        (("terms", HOT.hex(), HOT.hex(), "1"), "another key than the account's own"),
        (("transfer", bytes(32).hex(), "1"), "not a valid point"),
    ],
)
def test_what_no_ledger_would_take_is_refused_in_a_sentence(
    tmp_path: Path, capsys: Capture, action: tuple[str, ...], told: str
) -> None:
    out = tmp_path / "signed"
    options = ["--key", str(make_key(tmp_path, 8)), "--network", "00" * 32, "--nonce", "0"]
    assert main(["sign", *options, "--out", str(out), *action]) == 2
    assert told in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (["--key", "nowhere"], "make one with `p2pnode keys new`"),
        (["--nonce", "-1"], "--nonce is a whole number"),
        (["--network", "nowhere"], "cannot read the genesis file"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(
    tmp_path: Path, capsys: Capture, changed: list[str], told: str
) -> None:
    options = ["--key", str(make_key(tmp_path, 8)), "--network", "00" * 32, "--nonce", "0"]
    line = [*options, *changed, "--out", str(tmp_path / "signed")]
    assert main(["sign", *line, "withdraw", HOT.hex(), "1"]) == 2
    assert told in capsys.readouterr().err


def test_a_signed_file_is_never_replaced(tmp_path: Path, capsys: Capture) -> None:
    ledger = make_ledger()
    path = signed_file(tmp_path, ledger, 8, "unstake", HOT.hex(), "1")
    options = ["--key", str(tmp_path / "key8"), "--network", "00" * 32, "--nonce", "0", "--json"]
    line = ["sign", *options, "--out", str(path), "unstake", HOT.hex(), "1"]
    assert main(line) == 2
    path.unlink()
    capsys.readouterr()
    assert main(line) == 0
    assert json.loads(capsys.readouterr().out)["signer"] == AccountId(COLD).hex()
