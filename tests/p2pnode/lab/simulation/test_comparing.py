import json
import math
from pathlib import Path

import pytest

from p2pnode.lab.results import Metric, summary_of
from p2pnode.lab.simulation.comparing import compare, difference
from p2pnode.lab.simulation.library import ScenarioError, load_scenario
from p2pnode.lab.simulation.playing import run_into
from p2pnode.lab.simulation.saying import comparison_lines, comparison_table
from tests.p2pnode.lab.results.builders import played
from tests.p2pnode.lab.simulation.builders import write_sweep


def sweep(folder: Path, values: dict[int, object], outcome: str = "pass") -> Path:
    rows = [
        {
            "cell": 0,
            "changes": {"x": 1},
            "seed": seed,
            "outcome": outcome,
            "metrics": {"wait_ms": value, "commits": 5},
        }
        for seed, value in values.items()
    ]
    return write_sweep(folder, rows, {})


def test_differences_are_taken_pair_by_pair() -> None:
    found = difference("wait_ms", [(seed, seed + 10) for seed in range(0, 1_000, 50)])
    assert (found.pairs, found.median, found.low, found.high, found.mean) == (20, 10, 10, 10, 10)
    assert (found.a, found.b) == (450, 460)


def test_an_interval_covers_the_median_and_is_the_same_each_time() -> None:
    pairs: list[tuple[Metric, Metric]] = [(0, value) for value in (1, 2, 3, 4, 5, 6, 7, 8, 90)]
    found = difference("wait_ms", pairs)
    assert found.low is not None
    assert found.high is not None
    assert 1 <= found.low < found.median == 5 < found.high <= 90
    assert difference("wait_ms", pairs) == found


def test_the_mean_has_an_interval_of_its_own_where_every_pair_ended() -> None:
    pairs: list[tuple[Metric, Metric]] = [(0, 0)] * 8 + [(0, 5), (0, 5)]
    found = difference("double_executions", pairs)
    assert (found.median, found.low, found.high, found.mean) == (0, 0, 0, 1)
    assert found.mean_low is not None
    assert found.mean_high is not None
    assert 0 <= found.mean_low < 1 < found.mean_high <= 4
    ended = difference("wait_ms", [*pairs, (1, {"beyond_ms": 9.0})])
    assert (ended.mean, ended.mean_low, ended.mean_high) == (None, None, None)
    few = difference("double_executions", pairs[-2:])
    assert (few.mean, few.mean_low, few.mean_high) == (5, None, None)


def test_what_never_happened_is_marked_and_moves_the_median() -> None:
    late = {"beyond_ms": 9.0}
    pairs: list[tuple[Metric, Metric]] = [(1, late)] * 4 + [(late, 1), (late, late), (1, 2)]
    found = difference("wait_ms", pairs)
    assert (found.never_a, found.never_b, found.never) == (1, 4, 1)
    assert (found.median, found.mean) == (math.inf, None)
    assert found.b == math.inf


def test_two_sweeps_are_paired_by_cell_and_seed(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", {1: 5, 2: 6, 3: 7, 9: 1})
    b = sweep(tmp_path / "b", {1: 15, 2: 16, 3: {"beyond_ms": 9}}, "liveness")
    compared = compare(a, b)
    assert compared.unpaired == 1
    assert compared.outcomes == {("pass", "liveness"): 3}
    assert [one.metric for one in compared.differences] == ["wait_ms", "commits"]
    table = list(comparison_table(compared))
    assert table[0] == {
        "measure": "wait_ms",
        "pairs": "3",
        "a": "6",
        "b": "16",
        "difference": "10",
        "interval": "-",
        "mean": "-",
        "its interval": "-",
        "never": "0 in A, 1 in B, 0 in both",
    }
    said = list(comparison_lines(compared))
    assert said[:2] == [
        "3 pairs: pass in A, liveness in B",
        "1 runs are on one side only, and left out",
    ]
    assert said[-1] == "no intervals: 5 pairs are the least to tell"


@pytest.mark.slow
def test_a_run_is_compared_with_the_same_seed_without_the_fault(tmp_path: Path) -> None:
    run_into(tmp_path / "calm", load_scenario("calm", 3))
    run_into(tmp_path / "split", load_scenario("split-3-2", 3))
    compared = compare(tmp_path / "calm", tmp_path / "split")
    found = {one.metric: one for one in compared.differences}
    assert found["silence_ms"].median > 5_000
    assert found["requests"].median == 0
    assert found["available_final"].median < 0
    assert "recovery_backlog_ms" not in found


def test_folders_without_anything_in_common_are_refused(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", {1: 5})
    with pytest.raises(ScenarioError, match="nothing can be paired"):
        compare(a, sweep(tmp_path / "b", {2: 5}))
    with pytest.raises(ScenarioError, match="holds neither a sweep nor a run"):
        compare(a, tmp_path)


def write_run(folder: Path, summary: object, **manifest: object) -> Path:
    folder.mkdir()
    found = {"schema_version": 1, "seed": 1, "outcome": "pass", "state": "complete"} | manifest
    (folder / "manifest.json").write_text(json.dumps(found))
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"seed": None}, "manifest.json is damaged: it has no seed"),
        ({"seed": "1"}, "manifest.json is damaged: it has no seed"),
        ({"source": "processes", "seed": None}, "is of real processes, which no seed pairs with"),
        ({"state": "running"}, "did not end: nobody wrote that it ended; run it again"),
    ],
)
def test_an_odd_manifest_is_refused(tmp_path: Path, manifest: dict[str, object], said: str) -> None:
    run = write_run(tmp_path / "run", {}, **manifest)
    with pytest.raises(ScenarioError, match=said):
        compare(run, run)


def test_a_damaged_summary_is_refused_wherever_the_damage_is(tmp_path: Path) -> None:
    tables = played("calm")[2]
    whole = json.loads(json.dumps(summary_of(tables)))
    run = write_run(tmp_path / "run", whole)
    assert compare(run, run).outcomes == {("pass", "pass"): 1}
    used = ("divergence", "finality", "sides", "stale_blocks", "jobs", "work", "rewards")
    for key in (*used, "carriage", "commits", "ended_ms"):
        for damage in ([7], 7 if key in used else {"beyond_ms": "x"}):
            (run / "summary.json").write_text(json.dumps(whole | {key: damage}))
            said = r"summary.json is damaged: its metrics cannot be read \(.*\): run it again"
            with pytest.raises(ScenarioError, match=said):
                compare(run, run)
