import pytest

from protocol.simulator.overlay.__main__ import main


def test_each_experiment_prints_a_line_for_each_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", "--nodes", "20", "--seeds", "2"]) == 0
    assert main(["infection", "--nodes", "50", "--messages", "2"]) == 0
    assert main(["gossipsub", "--nodes", "30", "--messages", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["rounds", "rounds", "missed", "delivered"]
    assert "delivered 58 of 58" in lines[-1]


def test_an_attack_prints_what_was_lost(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["eclipse", "--nodes", "12", "--sybils", "5", "--rate", "1", "--defence", "1.0"]
    assert main(arguments) == 0
    assert "lost 0 ppm" in capsys.readouterr().out


def test_an_unknown_experiment_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["rumour"])
    assert refused.value.code == 2
    assert "invalid choice" in capsys.readouterr().err
