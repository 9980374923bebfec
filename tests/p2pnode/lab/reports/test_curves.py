"""Curves show what the tables hold."""

import pytest

from p2pnode.lab.reports.curves import divergence_curve, finality_curves, index_curves
from p2pnode.lab.reports.style import drawing
from tests.p2pnode.lab.results.builders import SPLIT, operation, reading, sample

pytest.importorskip("matplotlib")


def test_a_line_ends_with_the_share_that_became_final() -> None:
    run = reading(
        operations=[
            *operation("a", 0, 0.0, {0: 1_000.0, 1: 1_000.0}),
            *operation("b", 0, 4_000.0, {}),
        ]
    )
    with drawing() as (_, axes):
        assert finality_curves(axes, run)
        line, cross = axes.get_lines()
        assert list(line.get_xdata()) == [0.0, 1.0, 6.0]
        assert list(line.get_ydata()) == [0.0, 0.5, 0.5]
        assert line.get_label() == "all nodes (n = 2)"
        assert (list(cross.get_xdata()), list(cross.get_ydata())) == ([6.0], [0.5])


def test_there_is_a_line_for_each_side_and_part_with_requests() -> None:
    run = reading(
        faults=SPLIT,
        operations=[
            *operation("a", 0, 500.0, {0: 900.0}),
            *operation("b", 1, 1_500.0, {1: 4_000.0}),
        ],
    )
    with drawing() as (_, axes):
        assert finality_curves(axes, run)
        labels = [line.get_label() for line in axes.get_lines()]
    assert labels == ["side {0}, before (n = 1)", "side {1}, during (n = 1)"]


def test_divergence_is_drawn_from_the_first_commit_with_the_fault_shaded() -> None:
    series = [
        sample(500.0, 0, blocks_union=3),
        sample(1_000.0, 0, blocks_union=9, blocks_common=5, divergence=0.4, final_index=1),
        sample(3_000.0, 0, blocks_union=9, blocks_common=9, final_index=1),
    ]
    with drawing() as (_, axes):
        assert divergence_curve(axes, reading(series=series, faults=SPLIT))
        (line,) = axes.get_lines()
        assert (list(line.get_xdata()), list(line.get_ydata())) == ([1.0, 3.0], [4, 0])
        assert [text.get_text() for text in axes.texts] == ["Partition"]


def test_a_node_that_is_down_leaves_a_gap() -> None:
    series = [sample(float(time), 0, final_index=time, is_live=time != 2) for time in (1, 2, 3)]
    with drawing() as (_, axes):
        assert index_curves(axes, reading(series=series))
        (line,) = axes.get_lines()
        heights = [float(height) for height in line.get_ydata()]
    assert heights[0::2] == [1.0, 3.0]
    assert heights[1] != heights[1]


def test_without_samples_nothing_is_drawn() -> None:
    with drawing() as (_, axes):
        assert not divergence_curve(axes, reading(nodes=0))
        assert not index_curves(axes, reading(nodes=0))
        assert not finality_curves(axes, reading())
