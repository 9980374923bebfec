"""What is shipped, and what is installed to work on it."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.locks import read_lock
from tests.support.sources import ROOT

LOCKS = ("build", "development", "runtime")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names_of(requirements: list[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return {match[0].lower() for match in found if match}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_ships_exactly_the_two_packages(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/", maxsplit=1)[0] for name in names}
    (information,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {"p2pnode", "protocol", information}
    assert {"p2pnode/py.typed", "protocol/py.typed"} <= set(names)
    assert f"{information}/licenses/LICENSE" in names


@pytest.mark.slow
def test_the_wheel_ships_every_module_of_the_packages(wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    folders = (ROOT / "protocol", ROOT / "p2pnode")
    written = {path.relative_to(ROOT).as_posix() for f in folders for path in f.rglob("*.py")}
    assert shipped == written


@pytest.mark.slow
def test_the_wheel_carries_the_command(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "p2pnode = p2pnode.__main__:main" in archive.read(entry).decode()


def test_the_command_names_a_function_that_exists() -> None:
    module, _, function = PROJECT["scripts"]["p2pnode"].partition(":")
    path = ROOT / f"{module.replace('.', '/')}.py"
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    imported = {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    assert function in defined | imported


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_of_a_lock_has_hashes(lock: str) -> None:
    pins = read_lock(lock)
    assert [pin.name for pin in pins if pin.hashes == 0] == []
    assert pins


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if "://" in line or line.startswith("-")] == []


def test_the_locks_agree_with_one_another() -> None:
    development = {(pin.name, pin.version) for pin in read_lock("development")}
    build = {(pin.name, pin.version) for pin in read_lock("build")}
    names = {name for name, _ in development}
    assert {(pin.name, pin.version) for pin in read_lock("runtime")} <= development
    assert {pin for pin in build if pin[0] in names} <= development


def test_the_locks_hold_every_declared_dependency() -> None:
    runtime = {pin.name for pin in read_lock("runtime")}
    development = {pin.name for pin in read_lock("development")}
    assert names_of(PROJECT["dependencies"]) <= runtime
    for extra in ("dev", "lab"):
        assert names_of(PROJECT["optional-dependencies"][extra]) <= development


def test_a_node_is_installed_without_tables_and_plots() -> None:
    extra = names_of(PROJECT["optional-dependencies"]["lab"])
    assert extra == {"matplotlib", "polars"}
    assert extra.isdisjoint(pin.name for pin in read_lock("runtime"))
