"""Tests of the search for dead code: what has no user is found, and nothing else."""

from pathlib import Path

from tests.support.dead_code import unused

MODULE = """
LIMIT = 1
SPARE = 2
lower = 3

class Value:
    field: int

def used(): return LIMIT, Value

def lonely(): return used()

@app.command
def registered(): ...

def pytest_hook(): ...
"""


def test_functions_and_constants_without_a_user_are_found(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(MODULE, encoding="utf-8")
    found = unused([str(path)], ["pytest_*"], ["@*.command"])
    assert {(item.typ, item.name) for item in found} == {
        ("variable", "SPARE"),
        ("function", "lonely"),
    }
