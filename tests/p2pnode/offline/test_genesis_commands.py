import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pnode.cli.entry import main
from p2pnode.genesis import read_genesis
from p2pnode.money import format_credits
from protocol.messages import Allocation, CustodyTerms, Validator, network_of
from protocol.parameters import local
from protocol.units import CREDIT
from tests.support.builders import account_id, vrf_key

Capture = pytest.CaptureFixture[str]


def member(number: int, stake: str = "") -> str:
    text = f"{account_id(number).hex()}:{vrf_key(number).hex()}"
    return f"{text}:{stake}" if stake else text


def founding(out: Path, *more: str) -> list[str]:
    line = ["genesis", "new", "--name", "harbour", "--preset", "local", "--out", str(out)]
    return [*line, "--validator", member(0), *more]


def test_a_network_is_founded_as_the_line_says(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "harbour.genesis"
    faucet, gift = account_id(7), f"{account_id(7).hex()}:12.5"
    more = ["--validator", member(1, "2500"), "--allocation", gift, "--faucet", faucet.hex()]
    assert main(founding(out, *more, "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    genesis = read_genesis(out)
    assert told["network"] == network_of(genesis).hex()
    assert (told["members"], told["file"]) == (2, str(out))
    assert (genesis.name, genesis.parameters, genesis.faucet) == ("harbour", local(), faucet)
    stakes = {account_id(0): 10_000 * CREDIT, account_id(1): 2_500 * CREDIT}
    assert genesis.validators == tuple(
        Validator(account_id(number), vrf_key(number), stakes[account_id(number)])
        for number in sorted(range(2), key=account_id)
    )
    assert genesis.allocations == (Allocation(faucet, 12_500_000),)


def test_two_foundings_are_two_networks(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert main(founding(tmp_path / name)) == 0
    first, second = (network_of(read_genesis(tmp_path / name)) for name in ("a", "b"))
    assert first != second


def test_terms_are_shown_with_their_units(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "genesis"
    assert main(founding(out)) == 0
    capsys.readouterr()
    assert main(["genesis", "show", str(out), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    terms = {one["parameter"]: (one["value"], one["unit"]) for one in shown["parameters"]}
    assert terms["minimum_round_ms"] == (local().minimum_round_ms, "ms")
    assert terms["fee_share"] == (500, "hundredths of a percent")
    assert shown["network"] == network_of(read_genesis(out)).hex()
    (only,) = shown["committee"]
    assert (only["account"], only["weight"]) == (account_id(0).hex(), 10_000)
    assert shown["supply"] == f"{format_credits(10_000 * CREDIT)} credits"
    assert main(["genesis", "show", str(out)]) == 0
    told = capsys.readouterr().out
    assert "hundredths of a percent" in told
    assert account_id(0).hex() in told


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--validator", "abc"], "--validator takes"),
        (["--validator", f"{'0' * 63}:{'1' * 64}"], "is no key"),
        (["--validator", f"{'ff' * 32}:{'1' * 64}"], "not a valid point"),
        (["--validator", member(0)], "only once"),
        (["--validator", member(1, "0")], "has a stake"),
        (["--validator", member(1, "much")], "is not an amount"),
        (["--allocation", account_id(3).hex()], "--allocation takes"),
        (["--allocation", f"{account_id(3).hex()}:0"], "nothing need not be given"),
        (["--faucet", account_id(3).hex()], "the faucet has nothing to give"),
        (["--name", "x" * 65], "--name has"),
    ],
)
def test_what_would_found_no_working_network_is_refused(
    more: list[str], sentence: str, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "genesis"
    assert main(founding(out, *more)) == 2
    assert sentence in capsys.readouterr().err
    assert not out.exists()


def test_a_genesis_is_never_replaced(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "genesis"
    out.write_bytes(b"precious")
    assert main(founding(out)) == 2
    assert out.read_bytes() == b"precious"
    assert main(["genesis", "show", str(out)]) == 2
    assert "not a genesis file" in capsys.readouterr().err
    assert main(founding(tmp_path / "no" / "genesis")) == 1


def test_an_account_is_entrusted_and_a_term_is_changed(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "genesis"
    hot, cold = account_id(0), account_id(8)
    more = ["--withdrawal-key", f"{hot.hex()}:{cold.hex()}:12.5", "--set", "unbonding_ms=77"]
    assert main(founding(out, *more, "--set", "churn_profile=yes")) == 0
    genesis = read_genesis(out)
    assert genesis.custodies == (CustodyTerms(hot, cold, 12_500_000),)
    assert genesis.parameters == replace(local(), unbonding_ms=77, churn_profile=True)
    capsys.readouterr()
    assert main(["genesis", "show", str(out), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["custodies"]
    assert shown == [{"account": hot.hex(), "key": cold.hex(), "allowance": 12_500_000}]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--withdrawal-key", account_id(0).hex()], "takes ACCOUNT:KEY or ACCOUNT:KEY:ALLOWANCE"),
        (
            ["--withdrawal-key", f"{account_id(0).hex()}:{account_id(0).hex()}"],
            "is its own withdrawal key: make another one",
        ),
        (
            ["--withdrawal-key", f"{account_id(5).hex()}:{account_id(8).hex()}"],
            "has a withdrawal key, but no stake and no credits",
        ),
        (["--set", "unbondng_ms=1"], "did you mean unbonding_ms?"),
        (["--set", "fee_share"], "--set takes PARAMETER=VALUE"),
        (["--set", "fee_share=5%"], "is a whole number of hundredths of a percent"),
        (["--set", "fee_share=10001"], "fee_share cannot be 10001"),
        (["--set", "churn_profile=1"], "churn_profile is yes or no"),
    ],
)
def test_what_would_found_no_network_is_refused_in_a_sentence(
    tmp_path: Path, capsys: Capture, more: list[str], told: str
) -> None:
    out = tmp_path / "genesis"
    assert main(founding(out, *more)) == 2
    assert told in capsys.readouterr().err
    assert not out.exists()


def test_what_is_missing_is_asked_for_only_on_a_terminal(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "genesis"
    line = ["genesis", "new", "--preset", "local", "--out", str(out)]
    assert main(line) == 2
    assert "--name is missing" in capsys.readouterr().err
    typed = iter(["harbour", member(0), "", f"{account_id(7).hex()}:3", ""])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: next(typed))
    assert main(line) == 0
    genesis = read_genesis(out)
    assert (genesis.name, len(genesis.validators)) == ("harbour", 1)
    assert genesis.allocations == (Allocation(account_id(7), 3 * CREDIT),)
