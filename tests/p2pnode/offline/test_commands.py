import subprocess
import sys

import pytest

from p2pnode.cli.entry import main
from p2pnode.cli.groups import GROUPS
from p2pnode.offline.commands import MODULES

COMMANDS = {
    "ledger": ["export", "audit", "verify", "compare"],
    "genesis": ["new", "show"],
    "keys": ["new", "show", "export"],
    "lottery": ["verify"],
}


@pytest.mark.parametrize(
    ("group", "command"), [(group, one) for group, all_ in COMMANDS.items() for one in all_]
)
def test_every_command_explains_itself(
    group: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([group, "--help"]) == 0
    told = capsys.readouterr().out
    assert command in told
    assert "exit codes" in told
    assert main([group, command, "--help"]) == 0
    assert f"usage: p2pnode {group} {command}" in capsys.readouterr().out


@pytest.mark.parametrize("group", sorted(MODULES))
def test_a_mistake_in_the_line_exits_with_2(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([group]) == 2
    assert main([group, "nonsense"]) == 2
    assert "usage:" in capsys.readouterr().err


def test_every_group_that_points_here_is_known() -> None:
    here = "p2pnode.offline.commands"
    assert {name for name, group in GROUPS.items() if group.module == here} == set(MODULES)


def test_no_command_loads_the_network_library() -> None:
    modules = list(MODULES.values())
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import importlib, sys\n"
            f"for name in {modules!r}: importlib.import_module(name)\n"
            "sys.exit('libp2p' in sys.modules or 'fastapi' in sys.modules)",
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
