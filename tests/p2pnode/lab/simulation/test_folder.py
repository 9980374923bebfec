from pathlib import Path

import pytest

from p2pnode.lab.results.folder import write_json
from p2pnode.lab.simulation.folder import (
    described_in,
    new_manifest,
    prepared_folder,
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
    with prepared_folder(tmp_path):
        pass
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ScenarioError, match="holds something else"), prepared_folder(tmp_path):
        pass


def test_a_folder_is_lent_to_one_run_at_a_time(tmp_path: Path) -> None:
    said = f"another process runs in {tmp_path}: name another folder"
    with (
        prepared_folder(tmp_path),
        pytest.raises(ScenarioError, match=said),
        prepared_folder(tmp_path),
    ):
        pass
    with prepared_folder(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["trace.jsonl.gz", "report.html", "votes.csv.partial"])
def test_a_folder_in_the_place_of_a_file_is_refused_before_the_run(
    tmp_path: Path, name: str
) -> None:
    write_manifest(tmp_path, new_manifest(DESCRIBED, real_signatures=False))
    (tmp_path / name).mkdir()
    said = f"{tmp_path / name} is a folder: remove it, or name another folder"
    with pytest.raises(ScenarioError, match=said), prepared_folder(tmp_path):
        pass


def test_a_file_in_the_place_of_the_plots_is_refused_before_the_run(tmp_path: Path) -> None:
    write_manifest(tmp_path, new_manifest(DESCRIBED, real_signatures=False))
    (tmp_path / "plots").write_text("")
    with (
        pytest.raises(ScenarioError, match="plots is no folder: remove it, or name another folder"),
        prepared_folder(tmp_path),
    ):
        pass


@pytest.mark.parametrize("text", ['{"seed": NaN}', "[" * 100_000, "{", "\x00"])
def test_what_is_no_json_is_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ScenarioError, match=r"is not a run's folder: manifest.json cannot be read"):
        read_manifest(tmp_path)


def test_the_trace_of_an_earlier_run_is_not_taken_for_this_one_s(tmp_path: Path) -> None:
    write_manifest(tmp_path, new_manifest(DESCRIBED, real_signatures=False))
    (tmp_path / "trace.jsonl.gz").write_text("{}")
    with prepared_folder(tmp_path):
        pass
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nodes": {"stakes": [10**13]}}, "nodes.stakes: stakes and 1000000 credits for each node"),
        ({"behaviour": [{"kind": "lying", "nodes": [77]}]}, "nodes: there is no node 77: the last"),
        (
            {"fault": [{"kind": "crash", "at": "2 s", "for": "1 s", "node": 77}]},
            "fault.0: there is no node 77: the last one is ",
        ),
    ],
)
def test_a_manifest_of_what_nobody_could_run_is_refused(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    manifest = new_manifest(DESCRIBED, real_signatures=False)
    manifest["scenario"] |= change
    write_manifest(tmp_path, manifest)
    with pytest.raises(ScenarioError) as refusal:
        described_in(tmp_path)
    assert str(refusal.value).startswith(f"{tmp_path / 'manifest.json'}: {said}")
