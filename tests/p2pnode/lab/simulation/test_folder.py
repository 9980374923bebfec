from pathlib import Path

import pytest

from p2pnode.lab.results.folder import write_json
from p2pnode.lab.simulation.folder import (
    described_in,
    new_manifest,
    prepare_folder,
    read_manifest,
    write_manifest,
)
from p2pnode.lab.simulation.library import ScenarioError, load_scenario

DESCRIBED = load_scenario("calm")


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    manifest = new_manifest(DESCRIBED, real_signatures=True)
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert (manifest["state"], manifest["signatures"]) == ("running", "real")
    assert described_in(tmp_path) == DESCRIBED
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_a_folder_in_which_a_killed_run_left_only_half_a_file_is_used(tmp_path: Path) -> None:
    (tmp_path / "manifest.json.partial").write_text("{")
    prepare_folder(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ScenarioError, match="holds something else"):
        prepare_folder(tmp_path)


def test_the_trace_of_an_earlier_run_is_not_taken_for_this_one_s(tmp_path: Path) -> None:
    write_manifest(tmp_path, new_manifest(DESCRIBED, real_signatures=False))
    (tmp_path / "trace.jsonl").write_text("{}")
    prepare_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="is not a run's folder"):
        read_manifest(tmp_path)
    write_json(tmp_path / "manifest.json", [])
    with pytest.raises(ScenarioError, match="is no JSON object"):
        read_manifest(tmp_path)
    write_json(tmp_path / "manifest.json", {"schema_version": 0})
    with pytest.raises(ScenarioError, match="is of another version"):
        read_manifest(tmp_path)
    write_json(tmp_path / "manifest.json", {"schema_version": 1, "scenario": {"names": 1}})
    with pytest.raises(ScenarioError, match="unknown key 'names'"):
        described_in(tmp_path)
