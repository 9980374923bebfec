"""Writes plain data as TOML that people read: tables of one level, values within them inline."""

import json
from collections.abc import Iterator, Mapping

DELETE = "\x7f"
"""The one character that TOML wants escaped and JSON does not."""


def write_toml(document: Mapping[str, object]) -> str:
    """Write a document of strings, integers, truth values, lists and tables."""
    plain = {key: value for key, value in document.items() if not _is_table(value)}
    lines = [f"{_key(key)} = {_value(value, top=True)}" for key, value in plain.items()]
    for key, value in document.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{_key(key)}]", *_fields(value)]
        elif key not in plain:
            for item in value if isinstance(value, list) else ():
                lines += ["", f"[[{_key(key)}]]", *_fields(item)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _is_table(value: object) -> bool:
    is_array = isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
    return isinstance(value, Mapping) or is_array


def _fields(table: Mapping[str, object]) -> Iterator[str]:
    return (f"{_key(key)} = {_value(value)}" for key, value in table.items())


def _key(key: str) -> str:
    is_bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if is_bare else _text(key)


def _value(value: object, *, top: bool = False) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        inner = ", ".join(_fields(value))
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        return _paragraph(value) if top and "\n" in value else _text(value)
    return str(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace(DELETE, "\\u007f")


def _paragraph(text: str) -> str:
    """Writes a text of several lines so that its lines stay lines."""
    lines = [_text(line)[1:-1] for line in text.split("\n")]
    return '"""\n' + "\n".join(lines) + '"""'
