import pytest

from p2pnode.lab.reports.link_map import link_map, links_of
from p2pnode.lab.reports.style import drawing
from tests.p2pnode.lab.results.builders import SPLIT, reading

pytest.importorskip("matplotlib")


def carried(source: int, target: int, cut: int) -> dict[str, str | int | float | bool | None]:
    return {"source": source, "target": target, "cut": cut, "messages": 9}


def drawn(run) -> list[str] | None:
    with drawing() as (_, axes):
        if not link_map(axes, run):
            return None
        return [text.get_text() for text in axes.get_legend().get_texts()]


def test_links_are_told_apart_by_what_messages_met_and_by_the_plan() -> None:
    links = [carried(0, 1, 2), carried(1, 0, 3), carried(0, 2, 0), carried(1, 2, 4)]
    assert drawn(reading(nodes=3, links=links, faults=SPLIT)) == [
        "open in both directions",
        "cut in both directions",
        "cut in one direction",
        "side {0}",
        "side {1}",
    ]


def test_a_closed_link_on_which_nothing_was_sent_is_not_drawn_as_an_open_one() -> None:
    run = reading(nodes=3, links=[carried(0, 1, 0), carried(0, 2, 0)], faults=SPLIT)
    found = links_of(run)
    assert (found.cut, found.silent) == (frozenset(), {(0, 1), (1, 0)})
    assert drawn(run) == [
        "open in both directions",
        "closed, and nothing was sent",
        "side {0}",
        "side {1}",
    ]


def test_a_fault_that_never_took_effect_closed_nothing() -> None:
    run = reading(nodes=2, links=[carried(0, 1, 0)], faults=[SPLIT[0] | {"count": 0}])
    assert links_of(run).silent == frozenset()


def test_nodes_without_a_link_are_not_joined_and_without_cuts_there_is_no_map() -> None:
    run = reading(nodes=3, links=[carried(0, 1, 1)], faults=SPLIT)
    assert links_of(run).there == {(0, 1), (1, 0)}
    assert drawn(reading(nodes=3, links=[carried(0, 1, 1)])) is None
    assert drawn(reading(nodes=3, faults=SPLIT)) is None
