import pytest

from p2pnode.lab.simulation.groups import read_groups, read_pairs


@pytest.mark.parametrize(
    ("value", "groups"),
    [
        ("3/2", ((0, 1, 2), (3, 4))),
        ("2 / 2 / 1", ((0, 1), (2, 3), (4,))),
        ([[0, 4], [1, 2, 3]], ((0, 4), (1, 2, 3))),
        ({"minority": "40 %"}, ((0, 1, 2), (3, 4))),
        ({"minority": "1 %"}, ((0, 1, 2, 3), (4,))),
        ({"minority": "100 %"}, ((0,), (1, 2, 3, 4))),
    ],
)
def test_groups_are_listed_or_told_by_size_or_share(
    value: object, groups: tuple[tuple[int, ...], ...]
) -> None:
    assert read_groups(value, 5) == groups


def test_sizes_that_are_not_all_nodes_are_refused() -> None:
    with pytest.raises(ValueError, match="sizes '3/3' do not divide the 5 nodes"):
        read_groups("3/3", 5)


@pytest.mark.parametrize("value", ["5", "a/b", [], [[]], [[0, -1]], [0, 1], 3, {"most": "1 %"}])
def test_what_names_no_groups_is_refused_with_examples(value: object) -> None:
    with pytest.raises(ValueError, match="expected groups of nodes"):
        read_groups(value, 5)


def test_a_minority_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a minority of nothing divides nothing: give it more"):
        read_groups({"minority": "0 %"}, 5)


def test_all_links_of_a_huge_network_are_not_spelled_out() -> None:
    with pytest.raises(ValueError, match="all links of more than 1000 nodes are too many to name"):
        read_pairs("* > *", 1_001)
    assert len(read_pairs("* > 0", 1_001)) == 1_000


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        ([[0, 1], [1, 0]], ((0, 1), (1, 0))),
        (["0 > 1"], ((0, 1),)),
        ("0 <> 1", ((0, 1), (1, 0))),
        (["* > 0", "1 > 0"], ((1, 0), (2, 0))),
        (["0 > *"], ((0, 1), (0, 2))),
    ],
)
def test_links_are_listed_or_drawn_as_arrows(
    value: object, pairs: tuple[tuple[int, int], ...]
) -> None:
    assert read_pairs(value, 3) == pairs


@pytest.mark.parametrize("value", [[], ["0 - 1"], [[0, 1, 2]], [[0]], 4, [["a", "b"]]])
def test_what_names_no_links_is_refused_with_examples(value: object) -> None:
    with pytest.raises(ValueError, match="expected directed links"):
        read_pairs(value, 3)
