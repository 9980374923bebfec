import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from p2pnode.lab.commands import main
from p2pnode.lab.processes import identify
from p2pnode.lab.testnet import save, with_process
from tests.p2pnode.lab import builders


def test_help_loads_no_network_library() -> None:
    code = (
        "import sys\n"
        "from p2pnode.cli.entry import main\n"
        "main(['testnet', 'up', '--help'])\n"
        "sys.exit(any(name.partition('.')[0] == 'libp2p' for name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, "--liars" in done.stdout) == (0, True)


@pytest.mark.parametrize("command", ["down", "status", "heal", "kill 0", "restart 0", "cut 0|1"])
def test_without_a_network_each_command_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([*command.split(), "--data-dir", str(tmp_path)]) == 1
    assert "testnet up" in capsys.readouterr().err


@pytest.mark.parametrize("line", [["up", "--nodes", "0"], ["up", "--nodes", "2", "--liars", "2"]])
def test_networks_that_cannot_be_meant_are_refused(tmp_path: Path, line: list[str]) -> None:
    assert main([*line, "--data-dir", str(tmp_path / "net")]) == 2
    assert not (tmp_path / "net" / "node-0").exists()


@pytest.mark.parametrize("groups", ["foo", "0,1", "0|"])
def test_what_does_not_divide_the_nodes_is_said_with_an_example(
    groups: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ending:
        main(["cut", groups])
    assert ending.value.code == 2
    text = capsys.readouterr().err
    assert f"{groups!r} does not divide the nodes" in text
    assert "'0,1|2,3'" in text


def test_a_network_in_use_is_neither_started_again_nor_taken_down_by_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = identify(os.getpid())
    assert own is not None
    save(with_process(builders.network(tmp_path), 1, own))
    assert main(["up", "--data-dir", str(tmp_path)]) == 1
    assert "runs in" in capsys.readouterr().err


def test_a_folder_with_other_things_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    assert main(["up", "--data-dir", str(tmp_path)]) == 1
    assert "something else" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_taking_down_a_temporary_network_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    save(replace(builders.network(folder), temporary=True))
    assert main(["down", "--data-dir", str(folder)]) == 0
    assert not folder.exists()


def test_taking_down_a_named_network_leaves_its_data(tmp_path: Path) -> None:
    save(builders.network(tmp_path))
    assert main(["down", "--data-dir", str(tmp_path)]) == 0
    assert (tmp_path / "node-0").is_dir()


def test_the_status_of_nodes_that_are_gone_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(builders.network(tmp_path, nodes=2))
    assert main(["status", "--data-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count('"state": "gone"') == 2
