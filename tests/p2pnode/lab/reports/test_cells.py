"""What a sweep's plots are made of."""

from typing import Any

import pytest

from p2pnode.lab.reports.cells import Spot, against, heat_map, spots_of, varied
from p2pnode.lab.reports.style import drawing
from p2pnode.lab.results import Middle
from p2pnode.lab.results.survival import Quantile

pytest.importorskip("matplotlib")


def row(cell: int, seed: int, metric: object, **changes: object) -> dict[str, Any]:
    return {"cell": cell, "seed": seed, "changes": changes, "metrics": {"divergence": metric}}


def spot(middle: float, *values: str, is_beyond: bool = False) -> Spot:
    ends = Quantile(middle - 1), Quantile(middle + 1, is_beyond)
    return Spot(values, Middle(Quantile(middle, is_beyond), ends))


def test_fields_with_one_value_do_not_vary() -> None:
    assert varied([row(0, 1, 1, x="1 s", y=2), row(1, 1, 1, x="3 s", y=2)]) == ("x",)
    assert varied([row(0, 1, 1)]) == ()


def test_a_cell_is_summed_up_over_its_seeds() -> None:
    rows = [row(0, seed, seed / 2, x=1) for seed in range(5)] + [row(1, 1, 7.0, x=2)]
    several, one = spots_of(rows, "divergence")
    assert (several.values, several.over.middle) == (("1",), Quantile(1.0))
    assert several.over.ends is not None
    assert several.over.ends[0].time_ms < 1 < several.over.ends[1].time_ms
    assert one == Spot(("2",), Middle(Quantile(7.0), None))
    assert spots_of(rows, "commits") == []


def test_quantities_stand_where_their_size_is_whatever_their_order_and_units() -> None:
    with drawing() as (_, axes):
        spots = [spot(5, "2 s", "a"), spot(6, "500 ms", "a"), spot(7, "1 s", "a")]
        against(axes, spots, ("x",), 0)
        assert list(axes.lines[0].get_xdata()) == [0.5, 1.0, 2.0]
        assert list(axes.lines[0].get_ydata()) == [6, 7, 5]
        assert [one.get_text() for one in axes.get_xticklabels()] == ["500 ms", "1 s", "2 s"]
        assert axes.get_xlabel() == "x"


def test_many_quantities_have_their_unit_beside_the_name() -> None:
    with drawing() as (_, axes):
        against(axes, [spot(5, f"{n} s") for n in range(20)], ("fault.0.for",), 0)
        assert axes.get_xlabel() == "fault.0.for in s"


def test_what_was_cut_short_has_an_open_triangle() -> None:
    with drawing() as (_, axes):
        against(axes, [spot(5, "1"), spot(9, "2", is_beyond=True)], ("x",), 0)
        marks = [one.get_marker() for one in axes.lines]
        assert marks.count("o") == 1
        assert marks.count("^") == 2
        (middle,) = (
            one for one in axes.lines if one.get_marker() == "^" and one.get_markersize() == 6
        )
        assert (list(middle.get_ydata()), middle.get_markerfacecolor()) == ([9], "white")


def test_a_second_field_has_one_named_line_for_each_value() -> None:
    with drawing() as (_, axes):
        spots = [spot(n, f"{x} %", y) for n, (x, y) in enumerate([(1, "a"), (2, "a"), (1, "b")])]
        against(axes, spots, ("x", "y"), 0)
        legend = axes.get_legend()
        assert legend is not None
        assert legend.get_title().get_text() == "y"
        assert [one.get_text() for one in legend.get_texts()] == ["a", "b"]


def test_a_map_says_its_figures_and_hatches_what_was_cut_short() -> None:
    with drawing() as (_, axes):
        spots = [spot(1, "1", "b"), spot(2, "10", "b"), spot(3_456.7, "2", "a", is_beyond=True)]
        heat_map(axes, spots, ("x", "y"))
        assert [(one.get_text(), one.get_position()) for one in axes.texts] == [
            ("1", (0, 0)),
            ("2", (2, 0)),
            ("> 3457", (1, 1)),
        ]
        assert [one.get_hatch() for one in axes.collections] == ["///"]
        assert [one.get_text() for one in axes.get_xticklabels()] == ["1", "2", "10"]
        assert [one.get_text() for one in axes.get_yticklabels()] == ["b", "a"]
