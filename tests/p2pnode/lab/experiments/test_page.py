"""The page of results."""

from dataclasses import replace
from pathlib import Path

import pytest

from p2pnode.lab.experiments.experiment import Effort, Experiment
from p2pnode.lab.experiments.page import BEGIN, END, row_line, write_pages, write_section
from tests.p2pnode.lab.experiments.builders import a_row, an_experiment


def write(folder: Path, experiment: Experiment) -> None:
    pytest.importorskip("matplotlib")
    write_section(experiment, experiment.measure(Effort(is_quick=True)), folder)


def test_a_row_says_everything_on_one_line() -> None:
    text = "   differs      delays: 4; expected 3; 1,200 trials, 5 bites"
    assert row_line(a_row(4)) == text


def test_there_is_a_line_for_each_row_and_a_section_for_each_experiment(tmp_path: Path) -> None:
    experiment = an_experiment("halving", a_row(), a_row(4), a_row(bites=0))
    write(tmp_path, experiment)
    write_pages((experiment, an_experiment("never-run")), tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    first = "| [halving](PLOTS.md#halving-a-number-how) | delays | 3 |"
    lines = [line for line in text.splitlines() if line.startswith(first)]
    assert lines == [
        f"{first} 3 | 1,200 | 5 | agrees |",
        f"{first} 4 | 1,200 | 5 | **differs** |",
        f"{first} 3 | 1,200 | 0 | did not bite |",
    ]
    plots = (tmp_path / "PLOTS.md").read_text(encoding="utf-8")
    assert "## Halving a number: how?\n\n**What is half of it?** Division.\nBites are" in plots
    assert "Effort 1.\n\n![Halving a number: how?](halving.svg)\n\nLines and dots.\n" in plots
    assert "never-run" not in text + plots


def test_what_people_wrote_around_the_results_stays(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"# Mine\n\n{BEGIN}\nold\n{END}\n\n## Findings\n", encoding="utf-8")
    write(tmp_path, an_experiment())
    write_pages((an_experiment(),), tmp_path)
    once = page.read_text(encoding="utf-8")
    write_pages((an_experiment(),), tmp_path)
    assert page.read_text(encoding="utf-8") == once
    assert once.startswith(f"# Mine\n\n{BEGIN}\n\n| experiment |")
    assert once.endswith(f"{END}\n\n## Findings\n")
    assert "old" not in once


def test_rows_stand_on_the_page_of_their_experiment(tmp_path: Path) -> None:
    elsewhere = replace(an_experiment("sharing"), table="OTHER.md")
    for one in (an_experiment("halving"), elsewhere):
        write(tmp_path, one)
    write_pages((an_experiment("halving"), elsewhere), tmp_path)
    first, second = (
        (tmp_path / name).read_text(encoding="utf-8") for name in ("README.md", "OTHER.md")
    )
    assert ("| [halving]" in first, "| [sharing]" in first) == (True, False)
    assert ("| [halving]" in second, "| [sharing]" in second) == (False, True)
