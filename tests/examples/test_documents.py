"""What the documents tell people to type exists, and what they point to is there."""

import argparse
import ast
import importlib
import importlib.util
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from p2pnode.cli.groups import GROUPS
from p2pnode.cli.parser import parse_line
from tests.support.house_rules import workshop_traces
from tests.support.sources import ROOT

DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md") for path in ROOT.glob(pattern)
)
LINES_MAX = 200
SHELL = {"", "sh", "shell", "bash", "console"}
MODULE_PARSERS = {
    "protocol.simulator": "protocol.simulator.__main__:_parser",
    "tests.benchmarks": "tests.benchmarks.__main__:_parser",
}
"""Where the modules that documents run with `python -m` have their parsers."""
GROUP_PARSERS = {
    "testnet": "p2pnode.lab.commands:_parser",
    "sim": "p2pnode.lab.simulation.commands:_parser",
    "ledger": "p2pnode.offline.ledger_commands:build_parser",
    "genesis": "p2pnode.offline.genesis_commands:build_parser",
    "keys": "p2pnode.offline.keys_commands:build_parser",
    "sign": "p2pnode.offline.sign_commands:build_parser",
    "lottery": "p2pnode.offline.lottery_commands:build_parser",
}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
INLINE = re.compile(r"`([^`\n]+)`")
PLACE = re.compile(
    r"(?:(?:protocol|p2pnode|tests|docs|examples|requirements)/[\w./-]*"
    r"|[A-Z]+\.md|Makefile|pyproject\.toml)"
)
PLACEHOLDER = re.compile(r"<[^>]*>")
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)

Line = tuple[str, str]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, languages: set[str]) -> Iterator[str]:
    for language, body in FENCE.findall(path.read_text(encoding="utf-8")):
        if language in languages:
            yield body


def commands(prefix: str) -> list[Line]:
    """Every line of a shell block that begins with a word, with the document it stands in."""
    return [
        (name(path), line)
        for path in DOCUMENTS
        for body in blocks(path, SHELL)
        for line in map(str.strip, body.splitlines())
        if line.startswith(prefix)
    ]


def parser_at(place: str) -> argparse.ArgumentParser:
    module, _, function = place.partition(":")
    make: Callable[[], argparse.ArgumentParser] = getattr(importlib.import_module(module), function)
    return make()


def check_p2pnode(line: str) -> None:
    """Parses a command without running it; leaves with 2 where it does not exist."""
    words = shlex.split(PLACEHOLDER.sub("placeholder", line))[1:]
    assert not {"|", ">", "&"} & set(words), "a shell would not pass this on"
    if words and words[0] in GROUPS:
        parser_at(GROUP_PARSERS[words[0]]).parse_args(words[1:])
    else:
        parse_line(words)


def check_module(line: str) -> None:
    words = shlex.split(line)[2:]
    assert importlib.util.find_spec(words[0]) is not None, words[0]
    if words[0] in MODULE_PARSERS:
        parser_at(MODULE_PARSERS[words[0]]).parse_args(words[1:])


def test_every_group_of_commands_has_a_parser_here() -> None:
    assert set(GROUP_PARSERS) == set(GROUPS)


@pytest.mark.parametrize(("document", "line"), commands("p2pnode"))
def test_a_command_of_the_node_exists(document: str, line: str) -> None:
    assert "|" not in re.sub(r"'[^']*'", "", line), f"{document}: a shell would cut {line!r}"
    check_p2pnode(line)


@pytest.mark.parametrize(("document", "line"), commands("python -m"))
def test_a_module_to_run_exists(document: str, line: str) -> None:
    assert document
    check_module(line)


@pytest.mark.parametrize(("document", "line"), commands("make"))
def test_a_target_exists(document: str, line: str) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    wanted = [word for word in shlex.split(line)[1:] if "=" not in word]
    assert set(wanted) <= targets, f"{document}: {line}"


@pytest.mark.parametrize(
    "line",
    ["p2pnode unstake", "p2pnode submit job.toml --fast", "p2pnode testnet fly", "p2pnode dance"],
)
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises(SystemExit):
        check_p2pnode(line)


def test_the_readme_shows_commands_of_every_kind() -> None:
    for prefix in ("p2pnode", "python -m", "make"):
        assert any(document == "README.md" for document, _ in commands(prefix)), prefix


def test_the_snippets_of_the_readme_compile_and_import_what_exists() -> None:
    snippets = list(blocks(ROOT / "README.md", {"python"}))
    assert snippets
    for snippet in snippets:
        tree = compile(snippet, "README.md", "exec", ast.PyCF_ONLY_AST)
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert imports
        for node in imports:
            exec(compile(ast.unparse(node), "README.md", "exec"), {})  # noqa: S102  our own text


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_link_leads_somewhere(path: Path) -> None:
    targets = LINK.findall(path.read_text(encoding="utf-8"))
    relative = [target for target in targets if "://" not in target]
    assert [target for target in relative if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_file_that_is_named_exists(path: Path) -> None:
    named = INLINE.findall(path.read_text(encoding="utf-8"))
    places = {one for one in named if PLACE.fullmatch(one)}
    assert sorted(one for one in places if not (ROOT / one).exists()) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_a_document_is_short_and_names_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_MAX
    assert list(workshop_traces(name(path), text)) == []
