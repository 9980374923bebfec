import errno
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from p2pnode.cli.entry import main as program
from p2pnode.lab.simulation import commands
from p2pnode.lab.simulation.commands import main
from p2pnode.lab.simulation.library import load_scenario, shipped_files
from p2pnode.lab.simulation.rows import read_rows
from protocol.ledger import committee
from protocol.units import Weight
from tests.p2pnode.lab.simulation.builders import text
from tests.support.sources import ROOT

SWEEP = 'scenario = "base.toml"\nseeds = {seeds}\n[vary]\nworkload.transfers = [0, 1]\n'


def written(folder: Path, lines: str = text(fault=""), name: str = "base.toml") -> Path:
    path = folder / name
    path.write_text(lines)
    return path


def sweep_file(folder: Path, seeds: int) -> Path:
    written(folder)
    return written(folder, SWEEP.format(seeds=seeds), "sweep.toml")


def test_help_loads_no_network_library_and_no_terminal_library() -> None:
    code = (
        "import sys\n"
        "from p2pnode.cli.entry import main\n"
        "main(['sim', 'run', '--help'])\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "sys.exit(bool(loaded & {'libp2p', 'rich', 'numpy', 'polars'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, "--trace" in done.stdout) == (0, True)


def test_the_shipped_scenarios_are_listed_and_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program(["sim", "scenarios", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in listed] == [path.stem for path in shipped_files()]
    assert main(["scenarios"]) == 0
    assert "split-3-2 (pass)\n    A majority of three" in capsys.readouterr().out
    assert main(["scenarios", "--copy", str(tmp_path / "mine")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(listed)
    assert main(["scenarios", "--copy", str(tmp_path / "mine")]) == 2


def test_a_run_is_kept_replayed_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(written(tmp_path, text()))
    out = str(tmp_path / "run")
    assert main(["run", path, "--seed", "3", "--out", out, "--trace", "--no-report"]) == 0
    said = capsys.readouterr().out
    assert "seed 3: example" in said
    assert "  as expected: pass" in said
    assert "recovery_backlog_ms" in said
    assert "honest_labels" in said
    assert main(["replay", out]) == 0
    assert capsys.readouterr().out.startswith("equal: trace ")
    assert main(["compare", out, out]) == 0
    assert "1 pairs: pass in A, pass in B" in capsys.readouterr().out
    assert main(["run", path, "--out", out]) == 2
    assert "holds a complete run" in capsys.readouterr().err


def test_programs_get_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(written(tmp_path, text()))
    out = str(tmp_path / "run")
    assert main(["run", path, "--out", out, "--json"]) == 0
    assert (tmp_path / "run" / "report.html").is_file()
    ran = json.loads(capsys.readouterr().out)
    assert (ran["scenario"], ran["seed"], ran["outcome"]) == ("example", 1, "pass")
    assert ran["metrics"]["unfinished"] == 0
    assert {"name": "agreement", "result": "holds", "reason": ""} in ran["checks"]
    assert main(["replay", out, "--json"]) == 0
    replayed = json.loads(capsys.readouterr().out)
    assert replayed == {
        "equal": True,
        "before": ran["trace"],
        "now": ran["trace"],
        "version": replayed["version"],
        "difference": None,
    }
    assert main(["compare", out, out, "--json"]) == 0
    compared = json.loads(capsys.readouterr().out)
    assert compared["outcomes"] == [{"a": "pass", "b": "pass", "pairs": 1}]


def test_a_broken_promise_has_its_exit_code_and_is_shrunk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(total: Weight, *, churn_profile: bool) -> Weight:
        return Weight(total // 2)

    monkeypatch.setattr(committee, "quorum_of", half)
    path = str(written(tmp_path, text(nodes="[nodes]\nmembers = 4\n").replace("3/2", "2/2")))
    out = str(tmp_path / "run")
    assert main(["run", path, "--out", out, "--no-report"]) == 10
    assert "NOT as expected: pass" in capsys.readouterr().out
    less = tmp_path / "less.toml"
    assert main(["shrink", out, "--seconds", "0", "--out", str(less)]) == 10
    assert "is broken with 4 nodes" in capsys.readouterr().err
    described = load_scenario(less)
    assert described.expectation.outcome == 10
    assert main(["run", str(less)]) == 10
    assert "as expected: safety of" in capsys.readouterr().out
    assert main(["shrink", path, "--seconds", "0", "--json"]) == 10
    assert json.loads(capsys.readouterr().out)["toml"].startswith('name = "example"')
    assert main(["shrink", path, "--out", str(less)]) == 2
    assert main(["shrink", out, "--seed", "4"]) == 2


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (["run", "split-3-3"], 2, "did you mean 'split-3-2'?"),
        (["run", "calm", "--trace"], 2, "--trace needs a folder"),
        (["run", "calm", "--seed", "-1"], 2, "seed: expected a whole number"),
        (["replay", "nowhere"], 2, "is not a run's folder"),
        (["report", "nowhere"], 2, "holds no results"),
        (["compare", "nowhere", "nowhere"], 2, "holds neither a sweep nor a run"),
        (["sweep", "gone.toml", "--out", "x"], 2, "No such file"),
        (["shrink", "calm"], 1, "the run is pass: no promise is broken"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_an_exit_code(
    line: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line) == code
    assert said in capsys.readouterr().err


def test_a_third_of_dishonest_stake_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = "[[behaviour]]\nkind = 'lying'\nnodes = [0, 1]\n"
    main(["run", str(written(tmp_path, text(fault=bad)))])
    assert "warning: 40 % of the stake is dishonest" in capsys.readouterr().err


def test_networks_drawn_from_seeds_have_their_own_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["swarm", "--seed", "7"]) == 0
    drawn = capsys.readouterr().out
    assert main(["run", "swarm", "--seed", "7"]) == 0
    assert drawn.splitlines()[0] == capsys.readouterr().out.splitlines()[0]


def test_a_killed_process_of_a_sweep_is_a_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(commands, "run_sweep", killed)
    assert main(["sweep", str(sweep_file(tmp_path, 1)), "--out", str(tmp_path / "out")]) == 13
    assert "the same command goes on" in capsys.readouterr().err


def test_a_report_that_is_interrupted_leaves_a_whole_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_write_report", interrupted)
    out = tmp_path / "run"
    assert main(["run", str(written(tmp_path)), "--out", str(out)]) == 130
    assert f"interrupted: the results are whole; `sim report {out}`" in capsys.readouterr().err
    assert json.loads((out / "manifest.json").read_text())["state"] == "complete"


def runs(process: str) -> bool:
    """Whether a process does anything still; one that nobody has buried yet does not."""
    try:
        state = Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def begun_sweep(folder: Path) -> subprocess.Popen[str]:
    """A sweep of many runs, of which the first is done."""
    line = [sys.executable, "-m", "p2pnode", "sim", "sweep", str(sweep_file(folder, 200))]
    line += ["--out", str(folder / "out"), "--processes", "2", "--no-report"]
    process = subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    rows, deadline = folder / "out" / "rows.jsonl", time.monotonic() + 60
    while not (rows.exists() and rows.stat().st_size):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.mark.slow
def test_an_interrupted_sweep_says_so_and_goes_on_with_the_same_command(tmp_path: Path) -> None:
    out, process = tmp_path / "out", begun_sweep(tmp_path)
    # A shell that starts things in the background lets them ignore SIGINT; this one never is.
    os.kill(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: the same command goes on" in said
    assert json.loads((out / "sweep.json").read_text())["state"] == "interrupted"
    rows = read_rows(out)
    assert 1 <= len(rows) < 400


@pytest.mark.slow
def test_a_killed_sweep_leaves_rows_and_no_process(tmp_path: Path) -> None:
    out, process = tmp_path / "out", begun_sweep(tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while any(map(runs, children)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert json.loads((out / "sweep.json").read_text())["state"] == "running"
    assert 1 <= len(read_rows(out)) < 400


@pytest.mark.slow
def test_a_sweep_prints_a_line_for_each_cell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["sweep", str(sweep_file(tmp_path, 1)), "--out", str(tmp_path / "out")]
    assert main([*line, "--processes", "1"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split()[:4] == ["cell", "workload.transfers", "runs", "outcomes"]
    assert [one.split()[:5] for one in table[1:3]] == [
        ["0", "0", "1", "1", "pass"],
        ["1", "1", "1", "1", "pass"],
    ]
    assert table[4:] == [
        "no intervals: 5 seeds are the least to tell",
        f"all metrics of all runs are in {tmp_path / 'out' / 'rows.csv'}",
        f"results are in {tmp_path / 'out' / 'report.html'}",
    ]
    page = tmp_path / "out" / "report.html"
    first = page.read_text()
    page.unlink()
    assert main(["report", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text() == first
    assert main([*line, "--json"]) == 0
    assert [row["cell"] for row in json.loads(capsys.readouterr().out)] == [0, 1]


def test_shrinking_into_a_missing_folder_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "missing" / "less.toml"
    assert main(["shrink", str(written(tmp_path)), "--out", str(out)]) == 2
    assert "missing is no folder: make it first" in capsys.readouterr().err
    assert main(["shrink", "split-brain", "--out", "/proc/less.toml"]) == 2
    said = "p2pnode: /proc/less.toml: No such file or directory: name another file\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("count", ["0", "-1", "1001", "9" * 5_000, "many"])
def test_processes_are_a_number_that_a_machine_can_have(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["sweep", "x", "--out", "y", f"--processes={count}"])
    assert f"{count!r} is no number from 1 to 1000" in capsys.readouterr().err


@pytest.mark.parametrize("span", ["-1", "nan", "soon"])
def test_a_span_of_time_is_a_number_from_nothing_on(
    span: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in (
        ["sweep", "x", "--out", "y", f"--hours={span}"],
        ["shrink", "x", f"--seconds={span}"],
    ):
        with pytest.raises(SystemExit, match="2"):
            main(line)
        assert f"{span!r} is no span of time" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "votes.csv.partial")

    monkeypatch.setattr(commands, "run_into", full)
    out = tmp_path / "run"
    assert main(["run", str(written(tmp_path)), "--out", str(out)]) == 1
    said = "p2pnode: votes.csv.partial: No space left on device: not everything could be written"
    assert capsys.readouterr().err == f"{said}; make room\n"


def test_a_report_that_cannot_be_written_leaves_a_whole_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> Path:
        raise OSError("No space left on device")

    monkeypatch.setattr(commands, "_write_report", full)
    out = tmp_path / "run"
    assert main(["run", str(written(tmp_path)), "--out", str(out)]) == 1
    told = capsys.readouterr()
    assert f"No space left on device: the results are whole; `sim report {out}` makes" in told.err
    assert f"results are in {out}\n" in told.out
    assert "  as expected: pass" in told.out


def test_names_cannot_send_commands_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "\x1b[31mred.toml"
    path.write_text(text(fault=""))
    assert main(["run", str(path), "--out", str(tmp_path / "\x1b[2J"), "--no-report"]) == 0
    assert main(["replay", str(tmp_path / "\x1b[2J")]) == 0
    assert main(["run", str(path.with_name("\x1b.toml"))]) == 2
    told = capsys.readouterr()
    assert "results are in" in told.out
    assert "\x1b" not in told.out + told.err
