from pathlib import Path

import pytest

from p2pnode.cli.endings import CannotWrite
from p2pnode.cli.output import print_record, print_table, printable, write_output


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
