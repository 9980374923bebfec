"""What the laboratory's page shows can be read, run and swept as it stands there."""

import json
import re
from dataclasses import replace

import pytest

from p2pnode.lab.results import metrics_of, summary_of
from p2pnode.lab.results.schema import SCHEMA
from p2pnode.lab.simulation import parse_scenario
from p2pnode.lab.simulation.sweep_file import read_sweep
from tests.p2pnode.lab.results.builders import played
from tests.support.sources import ROOT

PAGE = (ROOT / "docs" / "LABORATORY.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_scenario_of_the_page_is_one() -> None:
    described = parse_scenario(block("toml"))
    assert (described.scenario.nodes, len(described.scenario.faults)) == (7, 2)


def test_the_python_of_the_page_prints_an_outcome_and_a_metric(
    capsys: pytest.CaptureFixture[str],
) -> None:
    exec(compile(block("python"), "LABORATORY.md", "exec"), {})  # noqa: S102  our own text
    outcome, metric = capsys.readouterr().out.split()
    assert outcome == "PASS"
    assert float(metric) > 0


def test_the_sweep_of_the_page_varies_length_and_minority() -> None:
    sweep = read_sweep(ROOT / "examples" / "03_partition" / "sweep.toml")
    assert (len(sweep.cells), len(sweep.seeds)) == (12, 20)
    first = sweep.cells[0].describe(1).scenario.faults[0]
    assert first.end_ns - first.start_ns == 2_000_000_000


def test_the_lossy_sweep_of_the_page_has_the_same_cells_and_seeds() -> None:
    folder = ROOT / "examples" / "03_partition"
    plain, lossy = read_sweep(folder / "sweep.toml"), read_sweep(folder / "lossy-sweep.toml")
    assert lossy.seeds == plain.seeds
    assert [one.changes for one in lossy.cells] == [one.changes for one in plain.cells]
    pairs = zip(plain.cells, lossy.cells, strict=True)
    losing = [(one.describe(1).scenario, two.describe(1).scenario) for one, two in pairs]
    assert {two.conditions.loss_ppm for _, two in losing} == {100_000}
    for one, two in losing:
        conditions = replace(two.conditions, loss_ppm=0)
        assert replace(two, name=one.name, conditions=conditions) == one


def test_every_sweep_that_the_page_plays_is_there() -> None:
    names = re.findall(r"^p2pnode sim sweep (\S+)", PAGE, re.MULTILINE)
    assert len(names) >= 2
    assert [name for name in names if not (ROOT / name).is_file()] == []


def test_every_metric_and_every_table_is_told_of() -> None:
    _, _, tables = played("split-3-2")
    row = metrics_of(json.loads(json.dumps(summary_of(tables))))
    plain = {"ended_ms", "commits", "jobs", "jobs_settled"}
    told = {
        name.removesuffix("_during").replace("_p95_ms", "").replace("_p99_ms", "") for name in row
    }
    assert sorted(name for name in (told - plain) | set(SCHEMA) if f"`{name}" not in PAGE) == []
