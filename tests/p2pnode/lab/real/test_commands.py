import json

import pytest

from p2pnode.lab.commands import main
from p2pnode.lab.real.recording import MANIFEST


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["--shape", "calm", "--nodes", "4"], 2, "the scenario has 5 nodes, not 4"),
        (["--shape", "torn-write"], 2, "not possible on real processes: the fault TornWrite"),
        (["--shape", "calm", "--liars", "1"], 2, "--liars does not go with --shape"),
        (["--shape", "calm", "--detach"], 2, "--detach does not go with --shape"),
        (["--shape", "missing.toml"], 2, "missing.toml: No such file"),
        (["--shape", "clam"], 2, "no scenario is named 'clam': did you mean 'calm'"),
    ],
)
def test_what_cannot_be_played_is_refused_before_anything_is_made(
    tmp_path, capsys, words, code, reason
):
    line = ["up", *words, "--data-dir", str(tmp_path / "net"), "--out", str(tmp_path / "out")]
    assert main(line) == code
    assert reason in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_results_never_overwrite_anything(tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MANIFEST).write_text(json.dumps({}))
    line = ["up", "--shape", "calm", "--links", "shaper", "--data-dir", str(tmp_path / "net")]
    assert main([*line, "--out", str(tmp_path / "out")]) == 1
    assert "not empty" in capsys.readouterr().err
