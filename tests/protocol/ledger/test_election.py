"""The heaviest that were there take the seats; what counts was there before and still is."""

import pytest

from protocol.ledger.election import Candidate, elect, is_in_second_half
from protocol.units import CREDIT, AccountId, Credits


def candidate(number: int, recorded: int, stake: int) -> Candidate:
    return Candidate(
        AccountId(bytes([number]) * 32),
        b"v" * 32,
        Credits(recorded * CREDIT),
        Credits(stake * CREDIT),
    )


def test_a_weight_is_the_stake_of_then_or_now_whichever_is_less() -> None:
    assert [candidate(1, *stakes).weight for stakes in ((5, 9), (9, 5), (0, 9), (9, 0))] == [
        5,
        5,
        0,
        0,
    ]
    assert Candidate(AccountId(b""), b"", Credits(1), Credits(1)).weight == 1


def test_seats_go_by_weight_and_then_by_key() -> None:
    candidates = [candidate(1, 5, 5), candidate(2, 7, 7), candidate(3, 5, 5), candidate(4, 0, 9)]
    assert [one.account[0] for one in elect(candidates, 2)] == [2, 1]
    assert [one.account[0] for one in elect(candidates, 9)] == [2, 1, 3]


@pytest.mark.parametrize(
    ("last", "closing", "there"), [(12, 24, False), (13, 24, True), (13, 25, True)]
)
def test_the_second_half_begins_after_half_of_the_rounds(
    last: int, closing: int, there: bool
) -> None:
    assert is_in_second_half(last, closing) is there
