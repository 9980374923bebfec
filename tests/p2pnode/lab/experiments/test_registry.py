"""The list of experiments."""

from pathlib import PurePath

from p2pnode.lab.experiments.registry import EXPERIMENTS


def test_every_experiment_has_a_name_of_its_own_and_says_everything() -> None:
    names = [one.name for one in EXPERIMENTS]
    assert len(set(names)) == len(names)
    assert all(PurePath(name).name == name for name in names)
    for one in EXPERIMENTS:
        assert all((one.title, one.question, one.method, one.bite, one.source, one.caption)), one
