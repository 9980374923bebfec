import json
from pathlib import Path

import pytest

from p2pnode.lab.simulation.commands import main
from tests.p2pnode.lab.simulation.builders import write_sweep


def sweep(folder: Path, extra: float) -> str:
    rows = [
        {"cell": 0, "seed": seed, "changes": {}, "metrics": {"divergence": seed / 10 + extra}}
        for seed in range(1, 6)
    ]
    return str(write_sweep(folder, rows, {"state": "complete", "plan": {"name": folder.name}}))


@pytest.mark.slow
def test_a_comparison_is_kept_and_made_again_in_its_own_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    a, b, c = (sweep(tmp_path / name, extra) for name, extra in (("a", 0), ("b", 1), ("c", 0)))
    out = tmp_path / "out"
    assert main(["compare", a, b, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.endswith(f"results are in {out / 'report.html'}\n")
    assert "5 pairs: pass in A, pass in B" in said
    kept = json.loads((out / "comparison.json").read_text())
    assert [one["median"] for one in kept["differences"]] == [1]
    assert "<h1>b against a</h1>" in (out / "report.html").read_text()
    assert (out / "plots" / "divergence-pairs.svg").exists()
    assert main(["compare", a, c, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((out / "comparison.json").read_text())
    assert not (out / "plots" / "divergence-pairs.svg").exists()


def test_a_folder_with_other_things_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = sweep(tmp_path / "a", 0)
    assert main(["compare", a, a, "--out", a]) == 2
    assert f"{a} holds something else: name an empty folder" in capsys.readouterr().err
    assert main(["compare", a, a, "--out", str(Path(a) / "rows.jsonl")]) == 2
    assert "rows.jsonl: File exists: name another folder" in capsys.readouterr().err
    (tmp_path / "mixed").mkdir()
    for name in ("comparison.json", "thesis.txt"):
        (tmp_path / "mixed" / name).write_text("{}")
    assert main(["compare", a, a, "--out", str(tmp_path / "mixed")]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "mixed").iterdir()) == [
        "comparison.json",
        "thesis.txt",
    ]
