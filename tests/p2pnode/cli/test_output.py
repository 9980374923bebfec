from pathlib import Path

import pytest

from p2pnode.cli.endings import CannotWrite
from p2pnode.cli.output import (
    print_account,
    print_record,
    print_table,
    printable,
    write_output,
)


def test_amounts_are_credits_and_other_numbers_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    print_record(
        {"fee": 1_500_000, "round": 1_500_000, "final": True, "topics": [], "ids": ["a", "b"]}
    )
    assert capsys.readouterr().out == (
        "fee     1.5\nround   1500000\nfinal   yes\ntopics  -\nids     a\n        b\n"
    )


def test_a_table_aligns_columns_even_where_fields_are_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table([{"id": "long one", "x": 1}, {"id": "b"}], "nothing")
    assert capsys.readouterr().out == "id        x\nlong one  1\nb         -\n"
    print_table([{"id": ""}], "nothing")
    assert capsys.readouterr().out == "id\n-\n"
    print_table([], "nothing")
    assert capsys.readouterr().out == "nothing\n"


def test_control_characters_are_replaced() -> None:
    assert printable("a\x1b[31m\nb") == "a?[31m?b"


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="choose another --out"):
        write_output(b"", tmp_path / "missing" / "file")


def test_bytes_never_garble_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with pytest.raises(CannotWrite, match="not text"):
        write_output(b"\x1b\x00", None)


def test_an_account_is_followed_by_what_each_epoch_paid(
    capsys: pytest.CaptureFixture[str],
) -> None:
    paid = {"epoch": 7, "elapsed_ms": 600_000, "for_1000": 1_989, "up": True}
    shown = {"rate_bp": 1_045, "staked": 2_000_000, "amount": 3}
    seen = {"rate_bp": 836, "staked": None, "amount": None, "up": False, "epoch": 8}
    print_account({"nonce": 1, "yield": {"earned": 5, "epochs": [paid | shown, paid | seen]}})
    assert capsys.readouterr().out == (
        "nonce  1\nyield  earned 0.000005\n\n"
        "epoch  a year   up   for_1000  staked  amount\n"
        "7      10.45 %  yes  0.001989  2       0.000003\n"
        "8      8.36 %   no   0.001989  -       -\n"
    )


def test_an_account_that_never_saw_an_epoch_end_has_no_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_account({"nonce": 1, "yield": {"earned": 5, "epochs": []}})
    print_account({"nonce": 1, "yield": {}})
    assert capsys.readouterr().out == "nonce  1\nyield  earned 0.000005\nnonce  1\nyield  -\n"
