"""The words of the code itself, for tables that are made of them."""

import ast
from itertools import pairwise
from pathlib import Path


def class_named(tree: ast.Module, name: str) -> ast.ClassDef:
    """Finds a class of a source file."""
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def field_words(path: Path, name: str) -> dict[str, str]:
    """Reads the text below each field of a class."""
    body = class_named(ast.parse(path.read_text(encoding="utf-8")), name).body
    words = {}
    for node, following in pairwise(body):
        match node, following:
            case (
                ast.AnnAssign(target=ast.Name(id=field_name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                words[field_name] = one_line(text)
            case _:
                pass
    return words


def one_line(text: str) -> str:
    """Makes a text fit for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
