import subprocess
import sys
import types
from pathlib import Path

import pytest

from p2pnode.cli.entry import main
from p2pnode.cli.groups import GROUPS
from p2pnode.cli.parser import NODE_FLAGS
from p2pnode.settings import SETTINGS, Settings

HEAVY = ("libp2p", "fastapi", "trio", "httpx", "structlog", "rich", "asyncio", "apsw", "wasmtime")
NODE_ERROR = 1


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("line", [["--help"], ["submit", "--help"], ["--version"], ["nonsense"]])
def test_help_and_mistakes_load_nothing_heavy(line: list[str]) -> None:
    done = run_python(
        f"import sys\nfrom p2pnode.__main__ import main\n"
        f"sys.argv = ['p2pnode', *{line!r}]\nmain()\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.exit(f'loaded {loaded}' if loaded else 0)"
    )
    assert done.returncode == 0, done.stderr


def test_the_module_can_be_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "p2pnode", "--version"],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (0, "p2pnode 0.1.0\n")


@pytest.mark.parametrize(
    "line", [["nonsense"], ["--nonsense"], ["submit"], ["transfer", "x"], ["status", "--nonsense"]]
)
def test_a_mistake_in_the_line_exits_with_2(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line) == 2
    assert "usage:" in capsys.readouterr().err


def test_an_unknown_command_is_answered_with_all_of_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["nosuch"]) == 2
    text = capsys.readouterr().err
    for word in [*GROUPS, "submit", "balance"]:
        assert word in text


def test_help_names_every_group_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for word in [*GROUPS, "submit", "balance", "3 cannot reach a node", "--bootstrap"]:
        assert word in text


def test_a_bare_line_runs_a_node_with_its_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[Settings] = []
    node = types.ModuleType("p2pnode.node")

    def run(settings: Settings) -> int:
        ran.append(settings)
        return 7

    node.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "p2pnode.node", node)
    monkeypatch.setenv("P2PNODE_LOG_LEVEL", "warning")
    line = ["--data-dir", str(tmp_path), "--bootstrap", "/ip4/1.2.3.4/tcp/1/p2p/a", "--bootstrap"]
    line += ["/ip4/1.2.3.5/tcp/1/p2p/b", "--role", "worker", "--unsafe-run-anything"]
    assert main(line) == 7
    assert ran == [
        Settings(
            data_dir=tmp_path,
            bootstrap=("/ip4/1.2.3.4/tcp/1/p2p/a", "/ip4/1.2.3.5/tcp/1/p2p/b"),
            roles=("worker",),
            log_level="warning",
            unsafe_run_anything=True,
        )
    ]


def test_a_wrong_setting_of_the_node_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["--data-dir", str(tmp_path), "--role", "wroker"]) == 2
    assert capsys.readouterr().err == (
        "p2pnode: --role: unknown role 'wroker': did you mean 'worker'?\n"
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["--lisen", "x"], "unknown option --lisen: did you mean --listen?"),
        (["--data-dir", "y", "--quixotic=1"], "unknown option --quixotic"),
        (["nonsense"], "invalid choice: 'nonsense'"),
    ],
)
def test_a_misspelt_word_is_named(
    line: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_a_group_gets_the_rest_of_the_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []

    def group_main(*arguments: object) -> int:
        calls.append(arguments)
        return NODE_ERROR

    module = types.ModuleType(GROUPS[name].module)
    module.main = group_main  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, GROUPS[name].module, module)
    assert main([name, "up", "--help"]) == NODE_ERROR
    rest = ["up", "--help"]
    assert calls == [(name, rest) if GROUPS[name].shares_module else (rest,)]


def test_the_interrupt_key_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(argv: list[str]) -> int:
        raise KeyboardInterrupt

    module = types.ModuleType(GROUPS["sim"].module)
    module.main = interrupted  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, GROUPS["sim"].module, module)
    assert main(["sim"]) == 130


def test_every_setting_has_its_flag() -> None:
    assert set(NODE_FLAGS) == {*SETTINGS, "config"}
