from pathlib import Path

import pytest

from p2pnode.lab.real.loading import find_scenario
from p2pnode.lab.testnet import LabError


def test_a_shipped_scenario_is_found_by_name_and_takes_another_seed() -> None:
    assert (find_scenario("calm", 4).name, find_scenario("calm", 4).seed) == ("calm", 4)
    assert find_scenario("split-4-1", None).seed == 1


def test_what_is_neither_name_nor_file_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(LabError, match="no scenario is named 'clam': did you mean 'calm'"):
        find_scenario("clam", None)


def test_a_wrong_file_is_answered_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('name = "wrong"\nnodez = 3\n')
    with pytest.raises(LabError, match=r"wrong\.toml.*nodez"):
        find_scenario(str(tmp_path / "wrong.toml"), None)
