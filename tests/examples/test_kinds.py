"""The examples of `builtin` and `wgsl`: built from their sources, and answering what is written."""

import math
from pathlib import Path

import numpy as np
import pytest

from p2pnode.execution import kind_builtin, tensors
from p2pnode.interfaces import Finished
from p2pnode.job_file import read_job_file
from p2pnode.map_file import read_map_file
from tests.examples.test_artefacts import load, read_job
from tests.p2pnode.execution import builders, shaders

EXAMPLES = builders.ROOT / "examples"
MENU, RENDER, DIGITS = EXAMPLES / "04_menu", EXAMPLES / "05_render", EXAMPLES / "06_digits"
CARRIED = builders.ROOT / "p2pnode" / "execution" / "compositions"


def output_of(job: Path) -> bytes:
    outcome = kind_builtin.run(read_job(job), "cpu")
    assert isinstance(outcome, Finished), outcome
    return outcome.output


@pytest.mark.parametrize("job", sorted(EXAMPLES.glob("0[456]_*/*.toml")), ids=lambda job: job.stem)
def test_every_job_file_is_one(job: Path) -> None:
    if "map" in job.stem:
        specs = [part.spec for part in read_map_file(job)]
        assert len(specs) == 12
    else:
        specs = [read_job_file(job)]
    assert {spec.kind for spec in specs} <= {"builtin", "wgsl"}


def test_modules_that_nodes_carry_are_those_of_the_examples() -> None:
    assert (CARRIED / "pi.wasm").read_bytes() == (EXAMPLES / "01_wasm" / "pi.wasm").read_bytes()
    assert (CARRIED / "tracer.wasm").read_bytes() == (RENDER / "tracer.wasm").read_bytes()


def test_what_the_renders_script_builds_is_what_is_kept() -> None:
    for name, content in load(RENDER / "build.py").files().items():
        assert (RENDER / name).read_bytes() == content, name


def test_what_the_digits_script_builds_is_what_is_kept() -> None:
    for name, content in load(DIGITS / "build.py").training_files().items():
        assert (DIGITS / name).read_bytes() == content, name


def test_monte_carlo_answers_what_its_text_says() -> None:
    text = (MENU / "README.md").read_text()
    assert output_of(MENU / "monte-carlo.toml").decode() in text


def test_the_product_of_the_challenge_is_checked_and_a_wrong_one_noticed() -> None:
    check, output = load(MENU / "check.py"), output_of(MENU / "matmul.toml")
    assert check.is_right(output)
    assert not check.is_right(output[:-1] + bytes([output[-1] ^ 1]))


def test_training_and_inference_answer_what_their_text_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example, text = load(DIGITS / "build.py"), (DIGITS / "README.md").read_text()
    trained, read = tmp_path / "trained", tmp_path / "read"
    trained.write_bytes(output_of(DIGITS / "training.toml"))
    read.write_bytes(output_of(DIGITS / "inference.toml"))
    example.main(["explain", str(trained)])
    example.main(["read", str(read)])
    assert capsys.readouterr().out in text
    kept = example.classifier_files(trained.read_bytes())
    assert set(kept) == {"digits.onnx", "inference.json", *(f"batches/{n}.tensors" for n in "012")}
    assert all(kept[name] == (DIGITS / name).read_bytes() for name in kept if "batches" in name)


def test_the_shader_draws_what_the_module_draws() -> None:
    shaders.needs_vulkan()
    from p2pnode.execution import kind_wgsl  # noqa: PLC0415 - not everywhere installed

    kind_wgsl.load()
    outcome = kind_wgsl.run(read_job(RENDER / "shader.toml"), "cpu")
    assert isinstance(outcome, Finished), outcome
    drawn = tensors.to_arrays(tensors.decode(outcome.output))["pixels"]
    traced = np.frombuffer(output_of(RENDER / "tile.toml"), "<f4").reshape(64, 64, 3)
    off = np.abs(drawn - traced).max(axis=2)
    assert (off < 1e-3).mean() >= 0.99
    assert -10 * math.log10(float(np.mean((drawn - traced) ** 2)) + 1e-12) >= 50
