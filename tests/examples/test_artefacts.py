"""The shipped examples do what their texts say, through the real runner."""

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from p2pnode.interfaces import Finished, Task
from tests.p2pnode.execution import builders

WASM = builders.ROOT / "examples" / "01_wasm"
MAGIKA = builders.ROOT / "examples" / "02_magika"
FILES = sorted((MAGIKA / "files").iterdir())


def load(path: Path) -> ModuleType:
    """Load a script by its path; the name `examples` belongs to others."""
    specification = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def read_job(path: Path) -> Task:
    """Read what the runner needs of a job file."""
    job: dict[str, Any] = tomllib.loads(path.read_text())
    limits = job["limits"]
    return Task(
        name="example",
        kind=job["kind"],
        artefact=(path.parent / job["artefact"]).read_bytes(),
        inputs=tuple((path.parent / name).read_bytes() for name in job["inputs"]),
        time_limit_ms=limits["seconds"] * 1000,
        memory_limit_bytes=limits["memory_mib"] * 2**20,
        output_limit_bytes=limits["output_kib"] * 2**10,
        fuel_limit=limits.get("fuel", 0),
    )


def pi_in_python(samples: int, state: int) -> int:
    """How many points fall into the quarter circle."""
    mask, inside = 2**64 - 1, 0
    for _ in range(samples):
        state = (state + 0x9E3779B97F4A7C15) & mask
        mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & mask
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & mask
        mixed ^= mixed >> 31
        inside += (mixed & 0x7FFFFFFF) ** 2 + (mixed >> 33) ** 2 < 2**62
    return inside


def test_the_compiled_module_is_what_its_text_compiles_to() -> None:
    assert load(WASM / "build.py").build() == (WASM / "pi.wasm").read_bytes()


async def test_the_wasm_example_answers_what_its_readme_says() -> None:
    outcome = await builders.runner().run(read_job(WASM / "job.toml"))
    assert isinstance(outcome, Finished)
    assert outcome.output.decode() in (WASM / "README.md").read_text()
    assert f"{outcome.fuel:,}" in (WASM / "README.md").read_text()


async def test_the_wasm_example_agrees_with_the_same_sums_in_python() -> None:
    job = read_job(WASM / "job.toml")
    inputs = (b"10 3\n", b"2000 18446744073709551615", b"", b"0 1", b"x7y9z")
    task = Task("pi", "wasm", job.artefact, inputs, 5000, 2**20, 2**10, 10**8)
    outcome = await builders.runner().run(task)
    assert isinstance(outcome, Finished)
    expected = []
    for samples, seed in ((10, 3), (2000, 2**64 - 1), (0, 0), (0, 1), (7, 9)):
        inside = pi_in_python(samples, seed)
        expected.append(f"{inside} {samples} {inside * 4_000_000 // max(samples, 1)}\n")
    assert outcome.output.decode() == "".join(expected)


@pytest.mark.slow
async def test_the_magika_example_names_the_files_as_magika_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    magika = pytest.importorskip("magika")
    example = load(MAGIKA / "prepare.py")
    names = [str(path) for path in FILES]
    example.main(["prepare", str(tmp_path), *names])
    job = tmp_path / "job.toml"
    assert capsys.readouterr().out == f"{job}\n"
    outcome = await builders.runner().run(read_job(job))
    assert isinstance(outcome, Finished)
    answers = example.explain(outcome.output)
    theirs = [magika.Magika().identify_path(path) for path in FILES]
    assert [label for label, _ in answers] == [str(result.dl.label) for result in theirs]
    assert [label for label, _ in answers] == [str(result.output.label) for result in theirs]
    assert [score for _, score in answers] == pytest.approx(
        [result.score for result in theirs], abs=1e-4
    )
    (tmp_path / "output").write_bytes(outcome.output)
    example.main(["explain", str(tmp_path / "output"), *names])
    assert capsys.readouterr().out in (MAGIKA / "README.md").read_text()


def test_a_file_too_short_for_the_model_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("magika")
    short = tmp_path / "short.txt"
    short.write_bytes(b"  hello  ")
    with pytest.raises(ValueError, match=r"short\.txt is too short"):
        load(MAGIKA / "prepare.py").prepare([short])


def test_features_are_those_of_magika_for_long_and_blank_ended_files(tmp_path: Path) -> None:
    magika = pytest.importorskip("magika")
    example = load(MAGIKA / "prepare.py")
    for number, content in enumerate(
        [b" \n" * 600 + b"word " * 3000 + b"\t" * 1500, b"  12345678 ", bytes(range(256)) * 8]
    ):
        path = tmp_path / str(number)
        path.write_bytes(content)
        seekable = magika.types.Seekable(path.open("rb"))
        theirs = magika.Magika._extract_features_from_seekable(
            seekable, 1024, 0, 1024, 256, 4096, False
        )
        assert example._features(path, example._config()) == [*theirs.beg, *theirs.end]
