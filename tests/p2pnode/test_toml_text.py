from pathlib import Path

import pytest

from p2pnode.toml_text import TEXT_BYTES_MAX, TomlError, nearest, parse_toml, read_toml

TEXT = """# comment
top = 1

[table]  # comment
key = "a = b"
other.deep = 2
inline = { inner = 3 }
"""


def test_every_key_has_its_line() -> None:
    document = parse_toml(TEXT, "file")
    assert document.place("top") == "file, line 2"
    assert document.place("table") == "file, line 4"
    assert document.place("table", "key") == "file, line 5"
    assert document.place("table", "other", "deep") == "file, line 6"


def test_a_key_inside_a_value_has_the_line_of_what_holds_it() -> None:
    document = parse_toml(TEXT, "file")
    assert document.place("table", "inline", "inner") == "file, line 7"
    assert document.place("nowhere") == "file"


TABLES = """about = '''
[stop]
fault = 1
'''
[[fault]]
groups = [
  [0, 1],
  [2, 3]
]
kind = "a"
[[fault.part]]
size = 1
[[fault]]
text = \"\"\"one " [ \"\"\"
kind = "b"
[[fault.part]]
size = 2
[stop]
safety = 1
"""


def test_tables_of_an_array_have_numbers_and_long_values_hide_no_keys() -> None:
    document = parse_toml(TABLES, "file")
    assert document.place("fault") == "file, line 5"
    assert document.place("fault", "0", "kind") == "file, line 10"
    assert document.place("fault", "0", "groups", "1") == "file, line 6"
    assert document.place("fault", "0", "part", "0", "size") == "file, line 12"
    assert document.place("fault", "1", "kind") == "file, line 15"
    assert document.place("fault", "1", "part", "0", "size") == "file, line 17"
    assert document.place("stop", "safety") == "file, line 19"


def test_text_that_is_not_toml_names_its_line() -> None:
    with pytest.raises(TomlError, match=r"file: .*line 2"):
        parse_toml("a = 1\nb = = 2", "file")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(TomlError, match="No such file"):
        read_toml(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(TomlError, match="not UTF-8"):
        read_toml(tmp_path / "binary")
    (tmp_path / "large").write_bytes(b"#" * (TEXT_BYTES_MAX + 1))
    with pytest.raises(TomlError, match="larger than"):
        read_toml(tmp_path / "large")


def test_the_nearest_name_is_suggested_and_otherwise_all() -> None:
    assert nearest("kidn", ["kind", "device"]) == "did you mean 'kind'?"
    assert nearest("zzz", ["kind", "device"]) == "known are device, kind"
