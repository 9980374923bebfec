"""The list of experiments, and the page that shows it."""

import shutil
from pathlib import Path, PurePath

from p2pnode.lab.experiments.page import write_pages
from p2pnode.lab.experiments.registry import EXPERIMENTS
from tests.support.sources import ROOT

PUBLISHED = ROOT / "docs" / "experiments"
PLOT_BYTES_MAX = 60_000


def test_every_experiment_has_a_name_of_its_own_and_says_everything() -> None:
    names = [one.name for one in EXPERIMENTS]
    assert len(set(names)) == len(names)
    assert all(PurePath(name).name == name for name in names)
    for one in EXPERIMENTS:
        assert all((one.title, one.question, one.method, one.bite, one.source, one.caption)), one


def test_every_experiment_is_published_with_a_small_plot() -> None:
    names = sorted(one.name for one in EXPERIMENTS)
    assert sorted(path.stem for path in PUBLISHED.glob("*.json")) == names
    assert sorted(path.stem for path in PUBLISHED.glob("*.svg")) == names
    sizes = {path.name: path.stat().st_size for path in PUBLISHED.glob("*.svg")}
    assert {name: size for name, size in sizes.items() if size > PLOT_BYTES_MAX} == {}


def test_the_published_pages_say_what_was_kept(tmp_path: Path) -> None:
    copy = tmp_path / "experiments"
    shutil.copytree(PUBLISHED, copy)
    write_pages(EXPERIMENTS, copy)
    for name in ("README.md", "MARKET.md", "LEAK.md", "PLOTS.md"):
        assert (copy / name).read_bytes() == (PUBLISHED / name).read_bytes(), name
