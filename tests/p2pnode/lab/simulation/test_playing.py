import json
from pathlib import Path

import pytest

from p2pnode.lab.results import checks_to_json, metrics_of, read_folder
from p2pnode.lab.simulation.comparing import compare
from p2pnode.lab.simulation.folder import described_in
from p2pnode.lab.simulation.library import ScenarioError, parse_scenario
from p2pnode.lab.simulation.playing import Manner, is_as_expected, run_into, run_scenario
from protocol.core import Core
from protocol.messages import Genesis
from protocol.signing import Identity, Scheme
from protocol.simulator.run import Verdict
from protocol.snapshot import Snapshot
from tests.p2pnode.lab.simulation.builders import FAULT, text

DESCRIBED = parse_scenario(text())


def manifest(folder: Path) -> dict[str, object]:
    found = json.loads((folder / "manifest.json").read_text())
    assert isinstance(found, dict)
    return found


def broken_core(
    genesis: Genesis, identity: Identity, scheme: Scheme, *, snapshot: Snapshot | None = None
) -> Core:
    raise AssertionError("planned")


def interrupt(_: int) -> None:
    raise KeyboardInterrupt


def fail(_: int) -> None:
    raise MemoryError


def test_a_run_leaves_what_is_needed_to_repeat_it(tmp_path: Path) -> None:
    outcome, row = run_into(tmp_path / "run", DESCRIBED)
    found = manifest(tmp_path / "run")
    assert (found["state"], found["outcome"], found["seed"]) == ("complete", "pass", 1)
    assert (found["trace"], found["as_expected"]) == (outcome.trace, True)
    assert found["bites"] == [{"kind": "Partition", "count": outcome.bites[0].count}]
    assert described_in(tmp_path / "run") == DESCRIBED
    results = read_folder(tmp_path / "run")
    assert metrics_of(results.summary) == row
    assert found["checks"] == list(checks_to_json(outcome.checks))
    assert results.tables["faults"]["count"] == [outcome.bites[0].count]
    assert run_scenario(DESCRIBED)[0].trace == outcome.trace


def test_a_crash_of_a_core_leaves_a_folder_that_says_so(tmp_path: Path) -> None:
    outcome, _ = run_into(tmp_path, DESCRIBED, Manner(make_core=broken_core))
    found = manifest(tmp_path)
    assert outcome.verdict is Verdict.CRASH
    assert (found["state"], found["outcome"], found["as_expected"]) == ("crashed", "crash", False)
    assert "planned" in str(found["violations"])


@pytest.mark.parametrize(
    ("stop", "error", "state"),
    [(interrupt, KeyboardInterrupt, "interrupted"), (fail, MemoryError, "crashed")],
)
def test_a_run_that_does_not_end_says_so_and_its_folder_is_used_again(
    tmp_path: Path, stop: object, error: type[BaseException], state: str
) -> None:
    with pytest.raises(error):
        run_into(tmp_path, DESCRIBED, Manner(progress=stop))  # type: ignore[arg-type]  # one of two
    assert manifest(tmp_path)["state"] == state
    assert "outcome" not in manifest(tmp_path)
    run_into(tmp_path, DESCRIBED)
    assert manifest(tmp_path)["state"] == "complete"


def test_a_run_whose_tables_cannot_be_written_says_so_and_its_folder_is_used_again(
    tmp_path: Path,
) -> None:
    blocked = tmp_path / "run" / "votes.csv.partial"

    def block(_: int) -> None:
        blocked.mkdir(exist_ok=True)

    with pytest.raises(OSError, match="directory"):
        run_into(tmp_path / "run", DESCRIBED, Manner(progress=block))
    assert manifest(tmp_path / "run")["state"] == "crashed"
    assert "outcome" not in manifest(tmp_path / "run")
    with pytest.raises(ScenarioError, match="did not end: it is crashed; run it again"):
        compare(tmp_path / "run", tmp_path / "run")
    blocked.rmdir()
    run_into(tmp_path / "run", DESCRIBED)
    assert manifest(tmp_path / "run")["state"] == "complete"


def test_a_folder_with_results_or_other_things_is_left_alone(tmp_path: Path) -> None:
    run_into(tmp_path / "run", DESCRIBED)
    with pytest.raises(ScenarioError, match="holds a complete run"):
        run_into(tmp_path / "run", DESCRIBED)
    with pytest.raises(ScenarioError, match="holds something else"):
        run_into(tmp_path, DESCRIBED)


def test_what_is_expected_names_the_outcome_and_the_broken_promise() -> None:
    outcome, _ = run_scenario(DESCRIBED)
    wanted = parse_scenario(text(fault=FAULT + '[expect]\noutcome = "safety"\n'))
    named = parse_scenario(
        text(fault=FAULT + '[expect]\noutcome = "safety"\ninvariant = "agreement"\n')
    )
    assert is_as_expected(DESCRIBED, outcome)
    assert not is_as_expected(wanted, outcome)
    assert not is_as_expected(named, outcome)
