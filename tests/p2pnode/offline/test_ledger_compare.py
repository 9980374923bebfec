import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from p2pnode.cli.entry import main
from p2pnode.offline.export_file import Entry, ExportWriter, Header, RecordedFinal
from protocol.encoding import content_digest
from protocol.units import Digest
from tests.p2pnode.offline.builders import exported, town_with_a_job

NETWORK = content_digest(b"network")


def final(index: int, branch: bytes = b"") -> RecordedFinal:
    name = index.to_bytes(8, "big") + branch
    return RecordedFinal(index, content_digest(b"commit" + name), content_digest(b"state" + name))


def written(
    path: Path, finals: Sequence[RecordedFinal], network: Digest = NETWORK, blocks: int = 3
) -> str:
    with path.open("wb") as stream:
        writer = ExportWriter(stream, Header(network, b"genesis"))
        for final_ in finals:
            writer.write(final_)
        for number in range(blocks):
            writer.write(Entry(bytes([number])))
        writer.finish()
    return str(path)


def compare(
    capsys: pytest.CaptureFixture[str], *files: str
) -> tuple[int, object, object, dict[str, object]]:
    code = main(["ledger", "compare", "--json", *files])
    found = json.loads(capsys.readouterr().out)
    return code, found["agree"], found.get("common_index"), found


def test_real_nodes_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    town = town_with_a_job()
    files = [str(exported(tmp_path, town, number)) for number in range(3)]
    capsys.readouterr()
    code, agree, common, found = compare(capsys, *files)
    indices = [member.core.state.index for member in town.members[:3]]
    assert (code, agree, common) == (0, True, min(indices))
    listed = found["files"]
    assert isinstance(listed, list)
    assert [one["final_index"] for one in listed] == indices


def test_a_node_that_is_behind_agrees_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = written(tmp_path / "a", [final(index) for index in range(1, 9)])
    second = written(tmp_path / "b", [final(index) for index in range(1, 5)])
    code, agree, common, found = compare(capsys, first, second)
    assert (code, agree, common) == (0, True, 4)
    assert found["state_digest"] == final(4).state_digest.hex()


def test_gaps_in_what_a_node_recorded_do_not_matter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = written(tmp_path / "a", [final(index) for index in (1, 3, 4, 7, 9)])
    second = written(tmp_path / "b", [final(index) for index in (2, 3, 5, 7, 8)])
    assert compare(capsys, first, second)[:3] == (0, True, 7)


def test_nodes_without_a_common_final_do_not_disagree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = written(tmp_path / "a", [final(1)])
    second = written(tmp_path / "b", [])
    assert compare(capsys, first, second)[:3] == (0, True, 0)


def test_a_fork_is_named_with_the_commit_where_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = [final(index) for index in range(1, 4)]
    first = written(tmp_path / "a", [*shared, final(4), final(5)])
    second = written(tmp_path / "b", shared)
    third = written(tmp_path / "c", [*shared, final(4, b"fork"), final(5, b"fork")])
    assert compare(capsys, first, second)[:3] == (0, True, 3)
    code, agree, common, found = compare(capsys, first, third)
    assert (code, agree, common) == (1, False, 3)
    assert found["difference"] == f"{first} and {third} differ at commit 4"


def test_different_networks_do_not_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = written(tmp_path / "a", [final(1)])
    second = written(tmp_path / "b", [final(1)], network=content_digest(b"other"))
    code, agree, _, found = compare(capsys, first, second)
    assert (code, agree) == (1, False)
    assert "different networks" in str(found["difference"])


def test_a_damaged_export_is_no_witness(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = written(tmp_path / "a", [final(1)])
    second = tmp_path / "b"
    second.write_bytes(Path(first).read_bytes()[:-2])
    code, agree, _, found = compare(capsys, first, str(second))
    assert (code, agree) == (1, False)
    assert "[truncated]" in str(found["difference"])


def test_one_file_is_nothing_to_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = written(tmp_path / "a", [final(1)])
    assert main(["ledger", "compare", first]) == 2
    assert main(["ledger", "compare", first, str(tmp_path / "missing")]) == 2
    assert "name an export" in capsys.readouterr().err
