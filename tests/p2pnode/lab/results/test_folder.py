"""Folders: whole, equal for equal runs, and refused when they are not ours."""

import json
import sys
from pathlib import Path

import pytest

from p2pnode.lab.results import (
    SCHEMA,
    BadFolder,
    MissingExtra,
    manifest_of,
    read_folder,
    summary_of,
    write_folder,
)
from p2pnode.lab.results.schema import BadTable
from tests.p2pnode.lab.results.builders import played, tables

pytest.importorskip("polars")


def write(folder: Path, name: str = "split-3-2") -> None:
    collector, outcome, found = played(name)
    write_folder(folder, manifest_of(collector, outcome, 12.5), summary_of(found), found)


def test_a_folder_gives_back_what_was_put_in(tmp_path: Path) -> None:
    write(tmp_path)
    results = read_folder(tmp_path)
    collector, outcome, found = played("split-3-2")
    assert results.tables == found
    head = {"schema_version": 1, "state": "complete"}
    assert results.manifest == head | manifest_of(collector, outcome, 12.5)
    assert results.summary == json.loads(json.dumps(summary_of(found)))


def test_equal_runs_leave_equal_bytes(tmp_path: Path) -> None:
    write(tmp_path / "first")
    write(tmp_path / "second")
    names = [*(f"{name}.csv" for name in SCHEMA), "manifest.json", "summary.json"]
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    files = {path.name for path in (tmp_path / "first").iterdir()}
    assert files == {*names, *(f"{name}.parquet" for name in SCHEMA)}


def test_a_csv_file_keeps_empty_and_unknown_apart(tmp_path: Path) -> None:
    found = tables(faults=[{"kind": 'a,"b"', "count": 1}])
    write_folder(tmp_path, {}, {}, found)
    lines = (tmp_path / "faults.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1] == '"a,""b""","","","",,,1,'
    assert read_folder(tmp_path).tables == found


def test_what_is_written_over_does_not_stay(tmp_path: Path) -> None:
    write(tmp_path, "lying")
    write(tmp_path)
    assert read_folder(tmp_path).tables == played("split-3-2")[2]


def test_a_bad_table_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadTable):
        write_folder(tmp_path / "new", {}, {}, {})
    assert not (tmp_path / "new").exists()


def test_a_writer_that_is_stopped_leaves_a_folder_that_says_so(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "jobs.csv.partial").mkdir()
    with pytest.raises(OSError, match="directory"):
        write(tmp_path)
    with pytest.raises(BadFolder, match="did not end: nobody wrote that it ended; run it again"):
        read_folder(tmp_path)
    (tmp_path / "jobs.csv.partial").rmdir()
    write(tmp_path)
    assert read_folder(tmp_path).manifest["state"] == "complete"


def test_a_folder_without_a_manifest_holds_no_results(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(BadFolder, match=r"holds no results: it has no manifest\.json"):
        read_folder(tmp_path)


def test_another_schema_version_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    text = json.dumps({"schema_version": 9, "version": "7.0"})
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadFolder, match=r"version 9; this program reads version 1.*7\.0"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["summary.json", "links.parquet"])
@pytest.mark.parametrize("damage", [b"{", None])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, damage: bytes | None) -> None:
    write(tmp_path)
    if damage is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(damage)
    with pytest.raises(BadFolder, match=f"{name} cannot be read"):
        read_folder(tmp_path)


def test_columns_that_do_not_belong_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "links.parquet").write_bytes((tmp_path / "votes.parquet").read_bytes())
    with pytest.raises(BadFolder, match="links: the columns are round, leader"):
        read_folder(tmp_path)


def test_a_missing_library_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtra, match=r"needs polars: pip install 'p2pnode\[lab\]'"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []
