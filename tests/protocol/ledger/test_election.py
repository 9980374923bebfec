"""The heaviest that were there take the seats; what counts was there before and still is."""

import pytest

from protocol.errors import Reason, Rejected
from protocol.ledger.election import Candidate, check_rest, elect, is_in_second_half
from protocol.units import CREDIT, AccountId, Credits, Weight


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


def withdraw(credits: int, needed: int, recorded: int = 5, stake: int = 5) -> None:
    """Lets the first of two members, the other with a weight of 5, take so much out."""
    standing = [candidate(1, recorded, stake), candidate(2, 5, 5)]
    check_rest(standing, standing[0].account, Credits(credits * CREDIT), Weight(needed))


@pytest.mark.parametrize(("credits", "needed"), [(4, 6), (3, 7), (1, 9), (0, 10)])
def test_stake_may_go_down_to_what_the_next_committee_needs(credits: int, needed: int) -> None:
    withdraw(credits, needed)
    with pytest.raises(Rejected) as refusal:
        withdraw(credits + 1, needed + 1)
    assert refusal.value.reason is Reason.SEAT_NEEDED
    assert refusal.value.detail == (
        f"the members would weigh {9 - credits}, and at least {needed + 1} must"
    )


def test_stake_that_does_not_vote_may_go_at_any_time() -> None:
    withdraw(4, needed=99, recorded=5, stake=9)
    with pytest.raises(Rejected):
        withdraw(5, needed=99, recorded=5, stake=9)
    stranger = AccountId(bytes([3]) * 32)
    check_rest([candidate(1, 5, 5)], stranger, Credits(9 * CREDIT), Weight(99))
