import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from p2pnode.lab.processes import Life, ProcessId, identify
from p2pnode.lab.testnet import (
    STATE_NAME,
    LabError,
    default_folder,
    load,
    save,
    with_process,
)
from tests.p2pnode.lab import builders


def test_the_state_survives_the_file(tmp_path: Path) -> None:
    testnet = with_process(builders.network(tmp_path, owner=ProcessId(1, 2)), 2, ProcessId(34, 56))
    apart = tuple(replace(member, namespace=f"lab-{member.node}") for member in testnet.members)
    testnet = replace(testnet, members=apart)
    save(testnet)
    assert load(tmp_path) == testnet


def test_a_network_runs_while_one_of_its_processes_does(tmp_path: Path) -> None:
    testnet = builders.network(tmp_path)
    assert not testnet.is_running
    own = identify(os.getpid())
    assert own is not None
    running = with_process(testnet, 3, own)
    assert running.is_running
    assert [member.life for member in running.members] == [Life.GONE] * 3 + [Life.RUNNING]


def test_a_missing_network_is_explained(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="testnet up"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 1}'])
def test_a_damaged_state_is_explained(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_NAME).write_text(text)
    with pytest.raises(LabError, match="damaged"):
        load(tmp_path)


def test_a_state_of_another_version_is_refused(tmp_path: Path) -> None:
    save(builders.network(tmp_path))
    document = json.loads((tmp_path / STATE_NAME).read_text())
    (tmp_path / STATE_NAME).write_text(json.dumps(document | {"version": 99}))
    with pytest.raises(LabError, match="version"):
        load(tmp_path)


def test_a_node_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    for node in (-1, 4):
        with pytest.raises(LabError, match="0 to 3"):
            builders.network(tmp_path).member(node)


def test_the_default_folder_follows_the_base_directories() -> None:
    assert default_folder({"XDG_DATA_HOME": "/data"}) == Path("/data/p2pnode/testnet")
    assert default_folder({"XDG_DATA_HOME": "data"}).is_absolute()
