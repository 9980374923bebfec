"""The data folder: where it lies and which folders are refused."""

import stat
from pathlib import Path

import pytest

from p2pnode.storage import (
    DamagedData,
    DataFolderExposed,
    NewerSchema,
    NotADataFolder,
    StorageFailed,
    default_root,
    layout,
    prepare_data_folder,
)


def test_a_new_folder_is_private_and_carries_its_version(tmp_path: Path) -> None:
    root = tmp_path / "share" / "net"
    folder = prepare_data_folder(root)
    assert folder == layout(root)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert folder.version.read_text() == "1"
    folder.config.write_text("")
    assert prepare_data_folder(root) == folder


def test_everything_lies_inside_the_folder_under_its_own_name(tmp_path: Path) -> None:
    folder = layout(tmp_path)
    paths = [getattr(folder, name) for name in folder.__slots__ if name != "root"]
    assert len(set(paths)) == len(paths) == 11
    assert {path.parent for path in paths} == {tmp_path}


def test_the_default_place_follows_the_environment(tmp_path: Path) -> None:
    assert default_root("net", {"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "p2pnode" / "net"
    fallback = Path.home() / ".local" / "share" / "p2pnode" / "net"
    assert default_root("net", {}) == fallback
    assert default_root("net", {"XDG_DATA_HOME": "relative"}) == fallback


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", "Net", ".hidden", "x" * 65, "a\n"])
def test_a_network_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a network name"):
        default_root(name, {})


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    tmp_path.chmod(0o755)
    with pytest.raises(NotADataFolder):
        prepare_data_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_folder_that_others_may_write_into_is_refused(tmp_path: Path) -> None:
    prepare_data_folder(tmp_path)
    tmp_path.chmod(0o770)
    with pytest.raises(DataFolderExposed, match="chmod 700"):
        prepare_data_folder(tmp_path)


def test_the_folder_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    prepare_data_folder(tmp_path).version.write_text("2")
    with pytest.raises(NewerSchema) as caught:
        prepare_data_folder(tmp_path)
    assert (caught.value.stored, caught.value.supported) == (2, 1)


def test_an_unreadable_version_is_damage(tmp_path: Path) -> None:
    prepare_data_folder(tmp_path).version.write_text("one")
    with pytest.raises(DamagedData):
        prepare_data_folder(tmp_path)


def test_a_file_in_the_place_of_the_folder_fails_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "net").write_text("")
    with pytest.raises(StorageFailed, match="exists"):
        prepare_data_folder(tmp_path / "net")


def test_a_crash_before_the_version_was_written_is_recovered(tmp_path: Path) -> None:
    (tmp_path / ".version.1").write_text("")
    assert prepare_data_folder(tmp_path).version.read_text() == "1"


def test_a_folder_in_which_the_operator_has_put_the_configuration_is_taken(tmp_path: Path) -> None:
    for path in (layout(tmp_path).config, layout(tmp_path).genesis, layout(tmp_path).key):
        path.write_text("provided")
    assert prepare_data_folder(tmp_path).version.read_text() == "1"
    assert layout(tmp_path).config.read_text() == "provided"
