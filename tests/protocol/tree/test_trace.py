"""One root binds what a run held after each of its steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.encoding import content_digest
from protocol.tree.trace import NO_STEP, Trace, height_of, node_of, padding_of, top_of
from protocol.units import Digest


def leaves(count: int) -> list[Digest]:
    return [content_digest(b"%d" % number) for number in range(count)]


@pytest.mark.parametrize(
    ("steps", "height"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (2_000, 11), (2**16, 16)]
)
def test_the_height_is_the_binary_logarithm_rounded_up(steps: int, height: int) -> None:
    assert height_of(steps) == height


def test_the_root_is_made_of_pairs_and_filled_up_behind_the_last_step() -> None:
    one, two, three = leaves(3)
    assert Trace([one]).root == one
    assert Trace([one, two, three]).root == node_of(node_of(one, two), node_of(three, NO_STEP))


def test_a_tree_without_a_step_is_known_to_everybody() -> None:
    assert padding_of(0) == NO_STEP
    assert padding_of(3) == Trace([NO_STEP] * 8).root


@given(st.integers(2, 300), st.data())
def test_pairs_lead_from_the_root_to_every_leaf(count: int, data: st.DataObject) -> None:
    every, wanted = leaves(count), data.draw(st.integers(0, count - 1))
    trace = Trace(every)
    node, begin = trace.root, 0
    for height in range(height_of(count), 0, -1):
        left, right = trace.halves(begin, height)
        assert node_of(left, right) == node
        is_right = wanted >= begin + (1 << (height - 1))
        node = right if is_right else left
        begin += is_right << (height - 1)
    assert (begin, node) == (wanted, every[wanted])


@given(st.integers(1, 7), st.integers(0, 7))
def test_the_end_of_a_subtree_leads_to_its_top(height: int, place: int) -> None:
    every = leaves(1 << 10)
    begin = ((place % (1 << (10 - height))) + 1) << height
    ending = Trace(every).ending(begin, height)
    assert ending[0] == every[begin - 1]
    assert len(ending) == height + 1
    top = every[begin - (1 << height) : begin]
    assert top_of(ending[0], ending[1:]) == Trace(top).root
