import re
from pathlib import Path

import pytest

from p2pnode.job_file import JobFileError, JobSpec, parse_job, read_job_file

DIGEST = "blake2b:" + "ab" * 32

FULL = f"""kind = "wasm"
artefact = "pi.wasm"
inputs = ["input.bin", "{DIGEST}"]
device = "cpu"
bid_window_rounds = 6
deadline_s = 120
speed_target_s = 2.5

[limits]
seconds = 10.5
memory_mib = 64
output_kib = 16
fuel = 1000

[result]
class = "class-exact"

[trust]
tolerated_error = "0.001"
replicas = 3
replicas_max = 7
sandbox_level = 2

[price]
per_second_max = "0.1"
budget = 12.345678
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pi.wasm").write_bytes(b"code")
    (tmp_path / "input.bin").write_bytes(b"input")
    return tmp_path


def test_a_full_job_file_is_read_exactly(folder: Path) -> None:
    (folder / "job.toml").write_text(FULL)
    assert read_job_file(folder / "job.toml") == JobSpec(
        kind="wasm",
        artefact=folder / "pi.wasm",
        inputs=(folder / "input.bin", b"\xab" * 32),
        device="cpu",
        time_limit_ms=10_500,
        memory_limit_bytes=64 * 2**20,
        output_limit_bytes=16 * 1024,
        fuel_limit=1000,
        result_class="class-exact",
        tolerated_error_ppm=1_000,
        replicas=3,
        replicas_max=7,
        sandbox_level=2,
        price_cap=100_000,
        budget=12_345_678,
        bid_window_rounds=6,
        deadline_ms=120_000,
        speed_target_ms=2_500,
    )


def test_two_lines_are_enough_for_a_job(folder: Path) -> None:
    spec = parse_job(f'kind = "onnx"\nartefact = "{DIGEST}"', folder)
    assert spec == JobSpec("onnx", b"\xab" * 32)
    request = spec.request(b"\xab" * 32)
    assert (request.kind, request.budget, request.bid_window_rounds) == ("onnx", 0, 0)


def test_how_long_an_output_is_kept_may_be_said_in_seconds(folder: Path) -> None:
    text = f'kind = "wasm"\nartefact = "{DIGEST}"\nretention_s = '
    assert parse_job(text + "3600", folder).retention_ms == 3_600_000
    assert parse_job(text + "0", folder).retention_ms == 0


def test_more_replicas_than_the_default_cap_raise_the_cap(folder: Path) -> None:
    spec = parse_job(f'kind = "wasm"\nartefact = "{DIGEST}"\n[trust]\nreplicas = 9', folder)
    assert (spec.replicas, spec.replicas_max) == (9, 9)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('kind = "wasm"', 'kidn = "wasm"', "line 1: unknown key 'kidn': did you mean 'kind'?"),
        ("seconds = 10.5", "second = 1", "line 10: unknown key 'second' in [limits]: did you mean"),
        ("[result]", "[results]", "line 15: unknown key 'results': did you mean 'result'?"),
        ('kind = "wasm"', 'kind = "python"', "line 1: 'kind': 'python' is not one of wasm, onnx"),
        ('"pi.wasm"', '"no.wasm"', "line 2: 'artefact': there is no file"),
        ('"pi.wasm"', '"blake2b:12"', "line 2: 'artefact': 'blake2b:' must be followed by 64"),
        ('"pi.wasm"', "7", "line 2: 'artefact': expected a path"),
        ("[" + '"input.bin"', "[1", "line 3: 'inputs': expected a path"),
        ("fuel = 1000", "fuel = 1.5", "line 13: 'fuel': expected a whole number"),
        ("fuel = 1000", "fuel = true", "line 13: 'fuel': expected a whole number"),
        ("seconds = 10.5", "seconds = 0.0001", "line 10: 'seconds': expected a number of seconds"),
        (
            '"class-exact"',
            '"stepped/0"',
            "line 16: 'class': 'stepped/0' is not one of exact, class-exact, or",
        ),
        ("seconds = 10.5", "seconds = inf", "line 10: 'seconds': expected a number of seconds"),
        ('"0.001"', '"0.6"', "line 19: 'tolerated_error': expected a probability"),
        ('"0.001"', "1e-9", "line 19: 'tolerated_error': expected a probability"),
        ('"0.001"', "1e300", "line 19: 'tolerated_error': expected a probability"),
        ("replicas_max = 7", "replicas_max = 2", "line 21: 'replicas_max' (2) is below 'replicas'"),
        ("sandbox_level = 2", "sandbox_level = 5", "line 22: 'sandbox_level': expected a whole"),
        ("speed_target_s", "retention_s", "line 7: 'retention_s': expected whole seconds from 0"),
        ('"0.1"', '"0.0000001"', "line 25: 'per_second_max': '0.0000001' is not an amount"),
        ('"0.1"', "-1", "line 25: 'per_second_max': '-1' is not an amount"),
        ("12.345678", "0", "line 26: 'budget': expected an amount above 0"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(
    folder: Path, old: str, new: str, complaint: str
) -> None:
    assert old in FULL
    with pytest.raises(JobFileError, match="job.toml, " + re.escape(complaint)):
        parse_job(FULL.replace(old, new), folder, "job.toml")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("kind = = 1\n", "line 1"),
        ('kind = "wasm"', "'artefact' is missing"),
        (f'kind = "wasm"\nartefact = "{DIGEST}"\nlimits = 3', "line 3: 'limits' is a table"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_is_refused(
    folder: Path, text: str, complaint: str
) -> None:
    with pytest.raises(JobFileError, match=re.escape(complaint)):
        parse_job(text, folder)


def test_a_missing_job_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(JobFileError, match=re.escape("none.toml: No such file")):
        read_job_file(tmp_path / "none.toml")


def test_a_result_class_may_name_steps(folder: Path) -> None:
    text = f'kind = "wasm"\nartefact = "{DIGEST}"\n[result]\nclass = "stepped/2000"'
    assert parse_job(text, folder).result_class == "stepped/2000"
