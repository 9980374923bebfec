from pathlib import Path

import pytest

from p2pnode.lab.node import main
from p2pnode.lab.processes import ProcessId
from p2pnode.settings import CONFIG_NAME, SettingsError


def test_the_settings_come_from_the_folder_and_not_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P2PNODE_LISTEN", "/ip4/127.0.0.1/tcp/0")
    (tmp_path / CONFIG_NAME).write_text('listen = ["nowhere"]\n')
    with pytest.raises(SettingsError, match="nowhere"):
        main(["--data-dir", str(tmp_path)])


def test_a_node_does_not_start_for_an_owner_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="gone"):
        main(["--data-dir", str(tmp_path), "--owner", str(ProcessId(1, 0))])
