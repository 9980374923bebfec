import pytest

from p2pnode.lab.real.loading import find_scenario
from p2pnode.lab.testnet import LabError


def test_a_built_in_scenario_is_found_by_name_and_made_from_the_seed():
    assert (find_scenario("calm", 4).name, find_scenario("calm", 4).seed) == ("calm", 4)
    assert find_scenario("split-4-1", None).seed == 1


def test_what_is_neither_name_nor_file_is_answered_with_the_names():
    with pytest.raises(LabError, match=r"no scenario file nowhere\.toml.*bridge, burying, calm"):
        find_scenario("nowhere.toml", None)
