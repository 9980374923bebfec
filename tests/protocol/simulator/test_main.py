from dataclasses import replace
from functools import cache

import pytest

from protocol.signing import Scheme
from protocol.simulator import __main__ as command
from protocol.simulator.catalogue import calm
from protocol.simulator.run import Outcome, Verdict, play
from protocol.simulator.scenario import Scenario
from protocol.simulator.scheme import FAKE


@cache
def calm_outcome() -> Outcome:
    return play(calm(1), FAKE)


def test_one_seed_says_its_options_first_and_its_outcome_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(["--scenario", "lossy", "--seed", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("seed 4: lossy, stakes 5000")
    assert any(line.startswith("  fault: LossBurst") for line in lines)
    assert any(line.startswith("  pass: ") for line in lines)
    assert any("bit" in line for line in lines)
    assert any(line.split() == ["agreement", "holds"] for line in lines)
    assert any(line.split(maxsplit=1)[0] == "promptness" and "unknown" in line for line in lines)


def test_many_seeds_are_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--scenario", "calm", "--seeds", "2", "--start", "7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 runs: 2 pass, 0 safety")
    assert lines[1].startswith("  seen to hold: no_crash 2, agreement 2, ")
    assert "accountability 0" in lines[1]
    assert lines[2] == "  results: 2 accepted, 0 of them wrong"


@pytest.mark.parametrize("verdict", [Verdict.SAFETY, Verdict.LIVENESS, Verdict.CRASH])
def test_a_failure_sets_the_exit_code_and_names_its_command(
    verdict: Verdict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    passed = calm_outcome()

    def failing(scenario: Scenario, scheme: Scheme) -> Outcome:
        return replace(passed, scenario=scenario, verdict=verdict)

    monkeypatch.setattr(command, "play", failing)
    assert command.main(["--scenario", "calm", "--seed", "9"]) == verdict
    printed = capsys.readouterr().out
    assert "repeat with: python -m protocol.simulator --scenario calm --seed 9" in printed


def test_an_unbitten_fault_has_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = calm_outcome()

    def missed(scenario: Scenario, scheme: Scheme) -> Outcome:
        return replace(passed, scenario=scenario, verdict=Verdict.UNKNOWN, bites=())

    monkeypatch.setattr(command, "play", missed)
    assert command.main(["--seed", "1"]) == 12
