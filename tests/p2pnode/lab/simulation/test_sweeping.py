import json
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from p2pnode.lab.simulation import sweeping
from p2pnode.lab.simulation.library import ScenarioError
from p2pnode.lab.simulation.rows import Row, read_rows
from p2pnode.lab.simulation.sweep_file import Sweep, read_sweep
from p2pnode.lab.simulation.sweeping import Means, Standing, run_sweep
from tests.p2pnode.lab.simulation.builders import text


class AtOnce:
    """An executor that runs everything at once, and can be interrupted after so many calls."""

    def __init__(self, stop_after: int = 1_000) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.stop_after = stop_after

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if len(self.calls) == self.stop_after:
            raise KeyboardInterrupt
        self.calls.append(args)
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Disk(NamedTuple):
    total: int
    used: int
    free: int


def sweep(folder: Path, seeds: str = "2", name: str = "sweep") -> Sweep:
    (folder / "base.toml").write_text(text(fault="").replace("jobs = 1", "jobs = 0"))
    path = folder / f"{name}.toml"
    path.write_text(
        f'scenario = "base.toml"\nseeds = {seeds}\n[vary]\nworkload.transfers = [0, 1]\n'
    )
    return read_sweep(path)


def means(
    executor: AtOnce | ThreadPoolExecutor, told: Callable[[Standing], object] = lambda _: None
) -> Means:
    return Means(processes=1, executor=executor, told=told)


def keys(rows: list[Row]) -> list[tuple[int, int]]:
    return [(row["cell"], row["seed"]) for row in rows]


def state(folder: Path) -> str:
    return str(json.loads((folder / "sweep.json").read_text())["state"])


def test_every_run_becomes_a_row_by_any_executor_of_the_standards_interface(
    tmp_path: Path,
) -> None:
    standings: list[Standing] = []
    out = tmp_path / "out"
    with ThreadPoolExecutor(1) as executor:
        rows = run_sweep(sweep(tmp_path), out, means(executor, standings.append))
    assert keys(rows) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert rows[2]["changes"] == {"workload.transfers": 1}
    assert rows[2]["outcome"] == "pass"
    assert rows[2]["metrics"]["requests"] == rows[0]["metrics"]["requests"] + 1
    assert rows[2]["broken"] == []
    assert "accountability" in rows[2]["unknown"]
    assert [(one.done, one.total) for one in standings] == [(n, 4) for n in range(1, 5)]
    assert standings[-1].seconds_left == 0
    assert sorted(keys(read_rows(out))) == keys(rows)
    assert state(out) == "complete"


def test_an_interrupted_sweep_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_sweep(sweep(tmp_path), out, means(AtOnce(stop_after=3)))
    assert state(out) == "interrupted"
    before = read_rows(out)
    assert 1 <= len(before) < 4
    with (out / "rows.jsonl").open("a") as file:
        file.write('{"cell": 1, "se')
    executor = AtOnce()
    rows = run_sweep(sweep(tmp_path), out, means(executor))
    assert len(executor.calls) == 4 - len(before)
    assert sorted(keys(read_rows(out))) == keys(rows)
    assert keys(rows) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert state(out) == "complete"


def test_a_sweep_names_each_commit_that_played_its_runs_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def commits(now: str, stop_after: int) -> list[str]:
        monkeypatch.setattr(sweeping, "source_commit", lambda: now)
        with suppress(KeyboardInterrupt):
            run_sweep(sweep(tmp_path), out, means(AtOnce(stop_after)))
        return list(json.loads((out / "sweep.json").read_text())["commits"])

    assert commits("first", 2) == ["first"]
    assert commits("first", 1) == ["first"]
    assert commits("second", 9) == ["first", "second"]
    assert state(out) == "complete"
    assert commits("third", 9) == ["first", "second"]


def test_a_folder_of_another_sweep_or_of_other_things_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_sweep(sweep(tmp_path), out, means(AtOnce()))
    with pytest.raises(ScenarioError, match="holds another sweep"):
        run_sweep(sweep(tmp_path, seeds="3"), out, means(AtOnce()))
    with pytest.raises(ScenarioError, match="holds something else"):
        run_sweep(sweep(tmp_path), tmp_path, means(AtOnce()))
    with pytest.raises(ScenarioError, match="is not a sweep's folder"):
        read_rows(tmp_path)


def test_a_sweep_too_large_for_the_disk_is_refused_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(10_000, 0, 10_000))
    executor = AtOnce()
    with pytest.raises(ScenarioError, match="4 runs may take 10000 bytes, and 10000 are free"):
        run_sweep(sweep(tmp_path), tmp_path / "out", means(executor))
    assert executor.calls == []


def test_a_sweep_that_would_take_too_long_stops_after_its_first_run(tmp_path: Path) -> None:
    executor = AtOnce()
    short = Means(processes=1, executor=executor, hours_max=0)
    with pytest.raises(ScenarioError, match="is going to take about"):
        run_sweep(sweep(tmp_path), tmp_path / "out", short)
    assert len(executor.calls) == 1
    assert keys(read_rows(tmp_path / "out")) == [(0, 1)]


@pytest.mark.slow
def test_processes_of_this_machine_give_the_same_rows(tmp_path: Path) -> None:
    alone = run_sweep(sweep(tmp_path), tmp_path / "alone", means(AtOnce()))
    many = run_sweep(sweep(tmp_path), tmp_path / "many", Means(processes=2))
    for row in (*alone, *many):
        row["wall_ms"] = 0
    assert many == alone


def test_a_file_is_no_folder_for_a_sweep(tmp_path: Path) -> None:
    wanted = sweep(tmp_path)
    with pytest.raises(ScenarioError, match="File exists: name another folder"):
        run_sweep(wanted, tmp_path / "base.toml", means(AtOnce()))
