import json

import pytest

from p2pnode.lab.real.recording import MANIFEST, as_json, claim_folder, write_manifest
from p2pnode.lab.testnet import LabError
from protocol.parameters import minimal
from protocol.simulator.scenario import Behaviour, Crash
from protocol.units import SECOND
from tests.p2pnode.lab.real.builders import scenario


def test_a_whole_scenario_becomes_json_with_the_names_of_its_faults(tmp_path):
    shown = scenario(faults=(Crash(SECOND, 2 * SECOND, 1),), behaviours=((1, Behaviour.LYING),))
    write_manifest(tmp_path, {"scenario": shown})
    read = json.loads((tmp_path / MANIFEST).read_text())["scenario"]
    assert read["stakes"] == [5_000] * 4
    assert read["behaviours"] == [[1, "lying"]]
    assert read["parameters"]["minimum_round_ms"] == minimal().minimum_round_ms
    crash = {"class": "Crash", "start_ns": SECOND, "end_ns": 2 * SECOND, "node": 1}
    assert read["faults"] == [crash]
    assert list(tmp_path.iterdir()) == [tmp_path / MANIFEST]


def test_bytes_become_digits():
    assert as_json({"digest": b"\x0f"}) == {"digest": "0f"}


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    claim_folder(tmp_path / "new")
    (tmp_path / "new" / "letter").touch()
    with pytest.raises(LabError, match="not empty"):
        claim_folder(tmp_path / "new")
