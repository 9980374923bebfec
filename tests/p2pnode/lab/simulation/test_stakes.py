import pytest

from p2pnode.lab.simulation.schema import Misread
from p2pnode.lab.simulation.stakes import read_stakes


@pytest.mark.parametrize(
    ("table", "stakes"),
    [
        ({"members": 3}, (5_000,) * 3),
        ({"members": 2, "stakes": {"each": 7}}, (7, 7)),
        ({"members": 4, "stakes": {"law": "zipf", "largest": 12}}, (12, 6, 4, 3)),
        ({"stakes": [3, 4]}, (3, 4)),
        ({"members": 2, "stakes": [3, 4]}, (3, 4)),
    ],
)
def test_stakes_are_listed_or_follow_a_law(
    table: dict[str, object], stakes: tuple[int, ...]
) -> None:
    assert read_stakes(table, 1) == stakes


def test_sampled_stakes_depend_on_the_seed_alone() -> None:
    table = {"members": 5, "stakes": {"law": "sampled", "low": 10, "high": 1_000}}
    assert read_stakes(table, 1) == read_stakes(table, 1)
    assert read_stakes(table, 1) != read_stakes(table, 2)
    assert all(10 <= stake <= 1_000 for stake in read_stakes(table, 3))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"stakes": [5, 0]}, "member 1 has the stake 0: each member needs some"),
        ({"members": 3, "stakes": [5]}, "there are 1 stakes for 3 members"),
        ({"members": 0}, "expected a whole number from 1"),
        ({}, "say how many 'members' there are"),
        ({"stakes": []}, "expected 1 to 1000 stakes"),
        ({"stakes": "many"}, "expected a list of stakes, or a law"),
        ({"members": 2, "stakes": {"law": "ziph"}}, "did you mean 'zipf'?"),
        ({"members": 2, "stakes": {"eachh": 5}}, "did you mean 'each'?"),
        ({"members": 2, "stakes": {"each": 0}}, "expected whole credits from 1, not 0"),
        ({"members": 9, "stakes": {"law": "zipf", "largest": 8}}, "member 8 has the stake 0"),
        (
            {"members": 2, "stakes": {"law": "sampled", "low": 5, "high": 4}},
            "'low' is above 'high'",
        ),
    ],
)
def test_a_committee_without_stake_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(Misread, match=said.replace("?", r"\?")):
        read_stakes(table, 1)
