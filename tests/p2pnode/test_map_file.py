import re
from pathlib import Path

import pytest

from p2pnode.job_file import JobFileError, read_job_file
from p2pnode.map_file import PARTS_MAX, read_map_file

SHARED = """kind = "wasm"
artefact = "code.wasm"
inputs = ["shared.bin"]
[limits]
seconds = 3
"""
PARTS = """
[[map]]
inputs = ["one.bin"]
[[map]]
name = "second"
artefact = "other.wasm"
inputs = ["two.bin", "one.bin"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("code.wasm", "other.wasm", "shared.bin", "one.bin", "two.bin"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "job.toml"
    path.write_text(text)
    return path


def test_parts_share_what_stands_above_them(folder: Path) -> None:
    first, second = read_map_file(written(folder, SHARED + PARTS))
    assert (first.name, second.name) == ("0", "second")
    assert first.spec.artefact == folder / "code.wasm"
    assert first.spec.inputs == (folder / "shared.bin", folder / "one.bin")
    assert second.spec.artefact == folder / "other.wasm"
    assert second.spec.inputs == tuple(folder / f"{n}.bin" for n in ("shared", "two", "one"))
    assert {first.spec.time_limit_ms, second.spec.time_limit_ms} == {3000}


def test_numbers_sort_like_their_parts(folder: Path) -> None:
    parts = read_map_file(written(folder, SHARED + "[[map]]\n" * 11))
    assert [part.name for part in parts][:3] == ["00", "01", "02"]


def test_each_part_may_bring_the_artefact(folder: Path) -> None:
    text = 'kind = "wasm"\n[[map]]\nartefact = "code.wasm"\n[[map]]\nartefact = "other.wasm"\n'
    assert len(read_map_file(written(folder, text))) == 2


def test_a_fingerprint_follows_content_and_terms_and_not_the_place(folder: Path) -> None:
    def first(text: str = SHARED + PARTS) -> str:
        return read_map_file(written(folder, text))[0].fingerprint()

    before = first()
    assert first() == before
    assert first(SHARED.replace("= 3", "= 4") + PARTS) != before
    other = folder / "other"
    other.mkdir()
    for path in folder.glob("*.*"):
        (other / path.name).write_bytes(path.read_bytes())
    assert read_map_file(written(other, SHARED + PARTS))[0].fingerprint() == before
    (folder / "one.bin").write_bytes(b"changed")
    assert first() != before


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ("", "1 to 1000 parts are needed"),
        ("[map]\n", "1 to 1000 parts are needed"),
        ("[[map]]\n" * (PARTS_MAX + 1), "1 to 1000 parts are needed"),
        ("[[map]]\nname = 'a'\n" * 2, "two parts have the name 'a'"),
        ("[[map]]\nname = '1'\n[[map]]\n", "two parts have the name '1'"),
        ("[[map]]\nname = '../a'\n", "part 0: 'name': expected letters"),
        ("[[map]]\nname = 7\n", "part 0: 'name': expected letters"),
        ("[[map]]\n[[map]]\ninput = []\n", "part 1: unknown key 'input': did you mean 'inputs'?"),
        ("[[map]]\ninputs = 'one.bin'\n", "part 0: 'inputs': expected a list"),
        ("[[map]]\ninputs = ['none.bin']\n", "part 0: 'inputs': there is no file"),
    ],
)
def test_a_wrong_part_is_named(folder: Path, parts: str, complaint: str) -> None:
    with pytest.raises(JobFileError, match=re.escape(complaint)):
        read_map_file(written(folder, SHARED + parts))


def test_a_file_with_parts_is_no_single_job(folder: Path) -> None:
    with pytest.raises(JobFileError, match=r"line 7: .* offer it with `p2pnode map`"):
        read_job_file(written(folder, SHARED + PARTS))
