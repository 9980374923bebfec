"""The tables made from the code are up to date, and every reason is given by something."""

from dataclasses import fields
from pathlib import Path

import pytest

from p2pnode.lab.results import SCHEMA
from p2pnode.lab.simulation.schema import key_of
from p2pnode.lab.simulation.timeline import FAULTS
from protocol.errors import Reason
from protocol.parameters import Parameters
from protocol.wire import PeerMessage
from tests.support import reference
from tests.support.lab_reference import RECORDS


@pytest.mark.parametrize("name", reference.TABLES)
def test_a_table_is_what_the_code_says(name: str) -> None:
    written = (reference.FOLDER / name).read_text(encoding="utf-8")
    assert written == reference.TABLES[name](), "run `python -m tests.support.reference --write`"


def test_every_reason_is_given_somewhere_or_reserved() -> None:
    unused = {name for name, files in reference.reason_places().items() if not files}
    assert unused == set()


def test_the_tables_miss_no_reason_no_parameter_and_no_message() -> None:
    reasons = reference.reasons_table()
    assert [name for name in Reason.__members__ if f"`{name}`" not in reasons] == []
    parameters = reference.parameters_table()
    assert [name for name in Parameters.__struct_fields__ if f"`{name}`" not in parameters] == []
    messages = reference.messages_table()
    kinds = PeerMessage.__args__
    assert [kind for kind in kinds if f"`{kind.__name__}`" not in messages] == []


def test_the_tables_of_the_laboratory_miss_no_column_no_fault_and_no_key() -> None:
    results = reference.results_table()
    columns = [column.name for table in SCHEMA.values() for column in table]
    assert [name for name in columns if f"`{name}`" not in results] == []
    scenarios = reference.scenarios_table()
    keys = [key_of(record, one.name) for record in RECORDS for one in fields(record)]
    assert [name for name in (*FAULTS, *keys) if f"`{name}`" not in scenarios] == []
    assert "|  |" not in scenarios, "a key lacks its meaning"


def test_a_table_that_differs_is_noticed_and_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    monkeypatch.setattr(reference, "TABLES", {"reasons.md": lambda: "what the code says\n"})
    (tmp_path / "reasons.md").write_text("what it said before\n", encoding="utf-8")
    assert reference.main([]) == 1
    assert reference.main(["--write"]) == 0
    assert reference.main([]) == 0
    assert capsys.readouterr().out == "differs: reasons.md\nwrote: reasons.md\n"
