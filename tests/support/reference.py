"""Makes the tables of `docs/reference/` from the code: `python -m tests.support.reference --write`.

Without `--write` it says which of them differ. The words are the docstrings of the code itself, so
a table is wrong only where the code's own description is.
"""

import argparse
import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from protocol import messages, parameters, wire
from protocol.errors import Reason
from protocol.parameters import Parameters
from tests.support.doc_words import class_named, field_words, one_line
from tests.support.lab_reference import results_lines, scenario_lines
from tests.support.sources import ROOT, all_sources

FOLDER = ROOT / "docs" / "reference"
SOURCES = ("messages", "claims", "step_messages", "wire")
MESSAGES = tuple(ROOT / "protocol" / f"{name}.py" for name in SOURCES)
PRESETS: Mapping[str, Parameters] = {
    preset.__name__: preset()
    for preset in (parameters.live, parameters.testnet, parameters.local, parameters.minimal)
}
NOTE = "<!-- Made by `python -m tests.support.reference --write`; change the code instead. -->"
PLAIN = {"BoolType": "true or false", "NoneType": "nothing"}
SIZED = {"BytesType": "bytes", "StrType": "text"}
BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(slots=True)
class Section:
    """What stands in a source file under one comment that heads it."""

    title: str
    names: list[str] = field(default_factory=list)


def messages_table() -> str:
    """Every message with its fields, in the order of the source."""
    lines = _heading(
        "Messages",
        f"Version {messages.VERSION}. Each message packs as an array of its fields, in this order; "
        "a tag, where there is one, comes first. A length is in bytes for bytes, in characters for "
        "texts, else in entries. `?` may be absent.",
    )
    sections = [one for path in MESSAGES for one in _sections(path, ast.ClassDef)]
    for section in sections:
        structs = [one for name in section.names if (one := _struct(name)) is not None]
        if not structs:
            continue
        lines += ["", f"## {section.title}", "", "| message | tag | fields | meaning |"]
        lines += ["| --- | --- | --- | --- |", *map(_message_row, structs)]
    return _page(lines)


def parameters_table() -> str:
    """Every parameter with its value in each preset."""
    lines = _heading(
        "Parameters",
        "What all nodes of a network share: part of genesis, and so of the network's name. Units "
        "are in the names; amounts are millionths of a credit, shares basis points.",
    )
    path = ROOT / "protocol" / "parameters.py"
    words = field_words(path, "Parameters")
    for section in _sections(path, ast.AnnAssign, "Parameters"):
        lines += ["", f"## {section.title}", "", f"| name | {' | '.join(PRESETS)} | meaning |"]
        lines.append(f"| --- |{' --- |' * len(PRESETS)} --- |")
        for name in section.names:
            values = [_value(getattr(preset, name)) for preset in PRESETS.values()]
            shown = values if len(set(values)) > 1 else [values[0], *["·"] * (len(values) - 1)]
            lines.append(f"| `{name}` | {' | '.join(shown)} | {words.get(name, '')} |")
    return _page(lines)


def reasons_table() -> str:
    """Every reason with its sentence and the files that give it."""
    lines = _heading(
        "Reasons",
        "Why something from outside was refused. Programs see the name in lower case, people the "
        "sentence. A reason without a file is reserved.",
    )
    places = reason_places()
    for section in _sections(ROOT / "protocol" / "errors.py", ast.Assign, "Reason"):
        lines += ["", f"## {section.title}", "", "| reason | sentence | given in |"]
        lines.append("| --- | --- | --- |")
        for name in section.names:
            files = ", ".join(f"`{path}`" for path in places[name]) or "–"
            lines.append(f"| `{name}` | {Reason[name].value} | {files} |")
    return _page(lines)


def results_table() -> str:
    """Every table of a results folder."""
    return _page([NOTE, "", "# Results", "", *results_lines()])


def scenarios_table() -> str:
    """Every key of a scenario file."""
    return _page([NOTE, "", "# Scenarios", "", *scenario_lines()])


TABLES: Mapping[str, Callable[[], str]] = {
    "messages.md": messages_table,
    "parameters.md": parameters_table,
    "reasons.md": reasons_table,
    "results.md": results_table,
    "scenarios.md": scenarios_table,
}


def reason_places() -> dict[str, list[str]]:
    """Finds the shipped files that name each reason outside of its definition."""
    places: dict[str, list[str]] = {name: [] for name in Reason.__members__}
    for one in all_sources():
        if not one.in_package or one.path == "protocol/errors.py":
            continue
        named = {
            node.attr
            for node in one.nodes
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "Reason"
        }
        for name in named & places.keys():
            places[name].append(one.path)
    return places


def main(arguments: list[str]) -> int:
    """Writes the tables, or compares them; 1 when one differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.reference")
    parser.add_argument("--write", action="store_true", help="replace the tables")
    write = parser.parse_args(arguments).write
    differing = 0
    for name, make in TABLES.items():
        path, text = FOLDER / name, make()
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if write:
            path.write_text(text, encoding="utf-8")
        else:
            differing += 1
        print(f"{'wrote' if write else 'differs'}: {path.relative_to(ROOT)}")
    return 1 if differing else 0


def _sections(
    path: Path, kind: type[ast.ClassDef | ast.AnnAssign | ast.Assign], inside: str = ""
) -> Iterator[Section]:
    """Splits definitions by the one-line comments that stand above groups of them."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    body = class_named(tree, inside).body if inside else tree.body
    indent = "    " if inside else ""
    headings = {
        number: line.removeprefix(f"{indent}# ")
        for number, line in enumerate(text.splitlines(), 1)
        if line.startswith(f"{indent}# ")
    }
    section = Section("")
    for node in body:
        if not isinstance(node, kind):
            continue
        above = [number for number in headings if number < node.lineno]
        title = headings[max(above)] if above else ""
        if title != section.title:
            if section.names:
                yield section
            section = Section(title)
        section.names.append(_name(node))
    if section.names:
        yield section


def _name(node: ast.stmt) -> str:
    match node:
        case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case _:
            raise TypeError(ast.dump(node))


def _struct(name: str) -> type[msgspec.Struct] | None:
    found = getattr(messages, name, None) or getattr(wire, name)
    is_struct = isinstance(found, type) and issubclass(found, msgspec.Struct)
    is_sent = not name.startswith("Verified")
    return found if is_struct and is_sent else None


def _message_row(struct: type[msgspec.Struct]) -> str:
    described: Any = msgspec.inspect.type_info(struct)
    path = next(one for one in MESSAGES if struct.__module__ == f"protocol.{one.stem}")
    words = field_words(path, struct.__name__)
    fields = []
    for one in described.fields:
        explained = f": {words[one.name]}" if one.name in words else ""
        fields.append(f"`{one.name}` {_kind(one.type)}{explained}")
    tag = described.tag if described.tag is not None else "–"
    meaning = one_line((struct.__doc__ or "").split("\n\n", maxsplit=1)[0])
    return f"| `{struct.__name__}` | {tag} | {'<br>'.join(fields)} | {meaning} |"


def _kind(kind: Any) -> str:
    """Says what a field holds, with its bounds; msgspec has a class for each kind of type."""
    name = type(kind).__name__
    if name in PLAIN:
        return PLAIN[name]
    if name in SIZED:
        return _sized(SIZED[name], kind)
    match name:
        case "IntType":
            return _bounded("integer", kind)
        case "VarTupleType":
            return _sized(f"list of {_kind(kind.item_type)}", kind)
        case _:
            return _union(kind) if name == "UnionType" else str(kind.cls.__name__)


def _union(kind: Any) -> str:
    some = [one for one in kind.types if type(one).__name__ != "NoneType"]
    optional = "?" if len(some) < len(kind.types) else ""
    if len(some) > 3:
        return "one of the tagged messages above"
    return " or ".join(map(_kind, some)) + optional


def _bounded(word: str, kind: Any) -> str:
    bounds = [
        f"{sign} {_power(getattr(kind, name))}"
        for name, sign in BOUNDS.items()
        if getattr(kind, name) is not None
    ]
    return f"{word} {', '.join(bounds)}".strip()


def _sized(word: str, kind: Any) -> str:
    least, most = kind.min_length, kind.max_length
    if most is None:
        return word
    if least == most:
        return f"{word} of length {most}"
    return f"{word} of length {least or 0} to {most}"


def _power(number: int) -> str:
    """Writes large bounds as people read them."""
    if number < 2**16:
        return str(number)
    exponent = number.bit_length()
    if number == 2**exponent - 1:
        return f"2^{exponent} − 1"
    if number == 2 ** (exponent - 1):
        return f"2^{exponent - 1}"
    return f"{number:,}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}"


def _heading(title: str, words: str) -> list[str]:
    return [NOTE, "", f"# {title}", "", words]


def _page(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
