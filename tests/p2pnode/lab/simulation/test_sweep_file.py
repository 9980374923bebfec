from pathlib import Path

import pytest

from p2pnode.lab.simulation.library import ScenarioError
from p2pnode.lab.simulation.sweep_file import Sweep, read_sweep
from tests.p2pnode.lab.simulation.builders import text


def sweep(folder: Path, lines: str, base: str = "base.toml") -> Sweep:
    (folder / "base.toml").write_text(text())
    path = folder / "sweep.toml"
    path.write_text(f'scenario = "{base}"\n{lines}')
    return read_sweep(path)


def test_a_grid_takes_every_combination_with_every_seed(tmp_path: Path) -> None:
    found = sweep(
        tmp_path,
        'seeds = 2\n[vary]\nfault.0.for = ["1 s", "2 s"]\n"fault.0.groups" = ["3/2", "4/1"]\n',
    )
    assert [cell.changes for cell in found.cells] == [
        {"fault.0.for": "1 s", "fault.0.groups": "3/2"},
        {"fault.0.for": "1 s", "fault.0.groups": "4/1"},
        {"fault.0.for": "2 s", "fault.0.groups": "3/2"},
        {"fault.0.for": "2 s", "fault.0.groups": "4/1"},
    ]
    assert [(cell.number, seed) for cell, seed in found.runs][:3] == [(0, 1), (0, 2), (1, 1)]
    scenario = found.cells[3].describe(7).scenario
    fault = scenario.faults[0]
    assert scenario.seed == 7
    assert (fault.end_ns - fault.start_ns) == 2 * 10**9
    assert fault.groups == ((0, 1, 2, 3), (4,))  # type: ignore[union-attr]  # a partition
    assert found.cells[0].describe(7).scenario != scenario


def test_a_field_that_has_a_default_can_vary_and_so_can_a_share(tmp_path: Path) -> None:
    found = sweep(
        tmp_path,
        '[vary]\n"links.loss" = ["0 %", "1 %"]\n'
        '"parameters.idle_round_ms" = [700]\n"fault.0.groups" = [{ minority = "20 %" }]\n',
    )
    scenario = found.cells[1].describe(1).scenario
    assert scenario.conditions.loss_ppm == 10_000
    assert scenario.parameters.idle_round_ms == 700
    assert scenario.faults[0].groups == ((0, 1, 2, 3), (4,))  # type: ignore[union-attr]  # as above


def test_without_anything_that_varies_there_is_one_cell(tmp_path: Path) -> None:
    found = sweep(tmp_path, "seeds = [3, 9]\n", base="calm")
    assert [(cell.number, dict(cell.changes), seed) for cell, seed in found.runs] == [
        (0, {}, 3),
        (0, {}, 9),
    ]


def test_a_hypercube_spreads_its_samples_evenly_over_each_field(tmp_path: Path) -> None:
    lines = (
        'design = "latin-hypercube"\nsamples = 4\n[vary]\n'
        'fault.0.for = { from = "1 s", to = "3 s" }\n'
        'workload.transfers = { from = 0, to = 8 }\nfault.0.groups = ["3/2", "4/1"]\n'
    )
    found = sweep(tmp_path, lines)
    columns = list(zip(*(cell.changes.values() for cell in found.cells), strict=True))
    assert sorted(columns[0], key=str) == ["1250 ms", "1750 ms", "2250 ms", "2750 ms"]
    assert sorted(columns[2], key=str) == [1, 3, 5, 7]
    assert sorted(columns[1], key=str) == ["3/2", "3/2", "4/1", "4/1"]
    assert sweep(tmp_path, lines).plan() == found.plan()
    assert sweep(tmp_path, "draw = 2\n" + lines).plan() != found.plan()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("seedz = 1", "line 2: seedz: unknown key: did you mean 'seeds'?"),
        ("name = 5", "line 2: name: expected a text"),
        ('name = "a\\u001b[2J"', "line 2: name: expected a text of one line, without control"),
        ("about = ' '", "line 2: about: expected a text"),
        (f"seeds = [{2**64}]", "line 2: seeds: expected how many seeds"),
        ("[vary]\nfault.0.for = ['1 s', '1 s']", "line 3: vary.fault.0.for: a value stands there"),
        ("seeds = 0", "line 2: seeds: expected how many seeds"),
        ("seeds = [1, 1]", "line 2: seeds: expected how many seeds"),
        ("seeds = [-1]", "line 2: seeds: expected how many seeds"),
        ("design = 'gird'", "line 2: design: did you mean 'grid'?"),
        ("samples = 5", "line 2: samples: only a 'latin-hypercube' has it"),
        ("design = 'latin-hypercube'", "samples: expected how many samples to take"),
        ("vary = 5", "line 2: vary: write [vary]"),
        ("[vary]\nfault.0.for = '1 s'", "vary.fault.0.for: expected a list of values"),
        ("[vary]\nfault.0.for = { from = '1 s', to = '2 s' }", "a grid needs a list of values"),
        ("[vary]\nfault.7.for = ['1 s']", "the scenario has nothing at 'fault.7.for'"),
        ("[vary]\nfault.0.fors = ['1 s']", "with fault.0.fors = '1 s': "),
        ("[vary]\nfault.0.for = ['1 s', '9 s']", "with fault.0.for = '9 s': "),
        (
            "design = 'latin-hypercube'\nsamples = 2\n[vary]\nfault.0.for = {from='1 s', to='5 %'}",
            "'from' and 'to' are two whole numbers, or two quantities of one kind",
        ),
        (
            f"seeds = 1000\n[vary]\nworkload.transfers = {list(range(2_000))}",
            "2000000 runs are too many",
        ),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_refused_before_anything_runs(
    tmp_path: Path, lines: str, said: str
) -> None:
    with pytest.raises(ScenarioError) as refusal:
        sweep(tmp_path, lines)
    assert said in str(refusal.value)


def test_a_sweep_needs_its_scenario(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no scenario is named"):
        sweep(tmp_path, "", base="gone")
    (tmp_path / "sweep.toml").write_text("scenario = 5")
    with pytest.raises(ScenarioError, match="expected a shipped scenario's name"):
        read_sweep(tmp_path / "sweep.toml")
    with pytest.raises(ScenarioError, match="No such file"):
        read_sweep(tmp_path / "gone.toml")


@pytest.mark.parametrize("line", ["seed = [7, 8]", '"seed" = [7, 8]', 'name = ["a", "b"]'])
def test_seed_and_name_do_not_vary(tmp_path: Path, line: str) -> None:
    key = line.split(maxsplit=1)[0].strip('"')
    with pytest.raises(ScenarioError, match=rf"sweep.toml, line 3: vary\.{key}: "):
        sweep(tmp_path, f"[vary]\n{line}\n")
