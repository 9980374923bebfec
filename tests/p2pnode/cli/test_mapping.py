import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from p2pnode.cli import mapping
from p2pnode.cli.endings import BadInput, Ending
from p2pnode.cli.parser import parse_line
from p2pnode.job_file import JobSpec

JOB = 'kind = "wasm"\nartefact = "code.wasm"\n' + "".join(
    f"[[map]]\nname = '{name}'\ninputs = ['{name}.bin']\n" for name in "abcde"
)
SETTLED = {"state": "settled", "outcome": "finished"}
REFUNDED = {"state": "refunded", "reason": "nobody bid"}


class CrashError(Exception):
    """Ends the command as a kill would, at a place of the test's choice."""


@dataclass
class Submitted:
    id: str


@dataclass
class Network:
    """A node that settles each job at the second look, and takes one with a known key once."""

    keys: dict[str, str] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    ends: dict[str, dict[str, str]] = field(default_factory=dict)
    """By the number of the job."""
    most: int = 0
    crash_after_submitting: int = -1

    def submit(self, spec: JobSpec, key: str) -> Submitted:
        job = self.keys.setdefault(key, str(len(self.keys)))
        self.looks.setdefault(job, 0)
        self.most = max(self.most, sum(looks < 2 for looks in self.looks.values()))
        if len(self.keys) == self.crash_after_submitting:
            raise CrashError
        return Submitted(job)

    def job(self, job: str) -> dict[str, str]:
        self.looks[job] += 1
        return self.ends.get(job, SETTLED) if self.looks[job] > 1 else {"state": "bidding"}

    def result(self, job: str) -> bytes:
        return b"output of " + job.encode()


Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(mapping, "POLL_SECONDS", 0)
    (tmp_path / "code.wasm").write_bytes(b"code")
    for name in "abcde":
        (tmp_path / f"{name}.bin").write_bytes(name.encode())
    (tmp_path / "job.toml").write_text(JOB)

    def call(network: Network, *more: str) -> int:
        words = ["map", str(tmp_path / "job.toml"), "--out", str(tmp_path / "out"), "--json", *more]
        return mapping.map_jobs(network, parse_line(words))  # type: ignore[arg-type]  # a fake

    return call


def outputs(tmp_path: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (tmp_path / "out").glob("*.out")}


def test_every_part_leaves_its_output(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(Network()) == Ending.DONE
    assert outputs(tmp_path) == {name: b"output of %d" % i for i, name in enumerate("abcde")}
    printed = capsys.readouterr()
    assert [row["state"] for row in json.loads(printed.out)] == ["done"] * 5
    assert printed.err.splitlines()[-1] == "5 of 5 parts done, 0 running"
    assert printed.err.splitlines()[:2] == [
        "0 of 5 parts done, 4 running",
        "4 of 5 parts done, 0 running",
    ]


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_no_more_parts_are_open_than_was_said(run: Run, at_once: int) -> None:
    network = Network()
    assert run(network, "--at-once", str(at_once)) == Ending.DONE
    assert network.most == at_once


@pytest.mark.parametrize("submissions", [1, 3, 5])
def test_a_command_that_died_goes_on_and_submits_nothing_twice(
    run: Run, tmp_path: Path, submissions: int
) -> None:
    network = Network(crash_after_submitting=submissions)
    with pytest.raises(CrashError):
        run(network)
    assert len(outputs(tmp_path)) < 5
    network.crash_after_submitting = -1
    assert run(network) == Ending.DONE
    assert len(network.keys) == 5
    assert len(outputs(tmp_path)) == 5


def test_what_is_done_is_not_asked_for_again(run: Run) -> None:
    run(Network())
    untouched = Network()
    assert run(untouched) == Ending.DONE
    assert untouched.keys == {}


def test_a_part_that_failed_is_told_and_begun_anew_by_the_next_call(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = Network(ends={"1": REFUNDED})
    assert run(network) == Ending.NOT_ACCEPTED
    assert set(outputs(tmp_path)) == set("acde")
    printed = capsys.readouterr()
    assert [row["state"] for row in json.loads(printed.out)][1] == "refunded"
    assert "4 of 5 parts done, 0 running, 1 failed" in printed.err
    assert run(network) == Ending.DONE
    assert outputs(tmp_path)["b"] == b"output of 5"


def test_the_time_ends_the_wait_and_not_the_jobs(run: Run, tmp_path: Path) -> None:
    assert run(Network(), "--timeout", "0.000000001") == Ending.TIMED_OUT
    assert len(json.loads((tmp_path / "out" / "map.json").read_text())["jobs"]) == 4


def test_a_folder_of_another_map_is_refused(run: Run, tmp_path: Path) -> None:
    run(Network())
    (tmp_path / "c.bin").write_bytes(b"changed")
    with pytest.raises(BadInput, match="belongs to other parts or terms: choose another --out"):
        run(Network())


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"run": 1}'])
def test_a_damaged_memory_is_told(run: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "map.json").write_text(content)
    with pytest.raises(BadInput, match="is damaged"):
        run(Network())


@pytest.mark.parametrize(
    "words", [("--at-once", "0"), ("--at-once", "65"), ("--timeout", "0"), ("--timeout", "nan")]
)
def test_impossible_wishes_are_refused(run: Run, words: tuple[str, str]) -> None:
    with pytest.raises(BadInput):
        run(Network(), *words)
