"""Every Python file of the project, read and parsed once, for the tests that judge the source."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("protocol", "p2pnode")
FOLDERS = (*PACKAGES, "tests", "examples")

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file."""

    path: str
    """Relative to the root of the project, with forward slashes."""
    text: str
    tree: ast.Module
    nodes: tuple[ast.AST, ...]
    """Everything in the tree, walked once."""

    @property
    def in_protocol(self) -> bool:
        """Whether the strict rules of the deterministic core hold here."""
        return self.path.startswith("protocol/")

    @property
    def in_package(self) -> bool:
        """Whether the file is shipped."""
        return self.path.startswith(("protocol/", "p2pnode/"))

    def functions(self) -> Iterator[Function]:
        """Yield every function and method, nested ones included."""
        return (node for node in self.nodes if isinstance(node, FUNCTION))

    def classes(self) -> Iterator[ast.ClassDef]:
        """Yield every class, nested ones included."""
        return (node for node in self.nodes if isinstance(node, ast.ClassDef))


def source(path: str, text: str) -> Source:
    """Parse one file's text."""
    tree = ast.parse(text, path)
    return Source(path, text, tree, tuple(ast.walk(tree)))


@cache
def all_sources() -> tuple[Source, ...]:
    """Read every Python file of the project, in order of path."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return tuple(
        source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for path in paths
    )


@cache
def all_texts() -> tuple[tuple[str, str], ...]:
    """Read every text file that people write, as pairs of path and text."""
    paths = {path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"}
    for folder in (*FOLDERS, "docs", ".ci", "requirements"):
        paths.update(path for path in (ROOT / folder).rglob("*") if path.is_file())
    kinds = {"", ".py", ".md", ".toml", ".txt", ".in", ".yaml", ".yml", ".json", ".wat"}
    return tuple(
        (path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(paths)
        if path.suffix in kinds and "__pycache__" not in path.parts
    )
