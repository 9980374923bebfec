"""The beacon's chain and the draw of leaders."""

from protocol.ledger.beacon import leader_ticket, next_beacon
from protocol.units import Digest, Round, Weight

START = Digest(b"\x05" * 32)


def test_the_beacon_depends_on_all_that_it_extends():
    values = {
        next_beacon(START, b"\x01" * 64, Round(1)),
        next_beacon(START, b"\x01" * 64, Round(2)),
        next_beacon(START, b"\x02" * 64, Round(1)),
        next_beacon(Digest(b"\x06" * 32), b"\x01" * 64, Round(1)),
    }
    assert len(values) == 4


def test_a_ticket_lies_below_the_total_and_spreads():
    tickets = [leader_ticket(START, Round(number), Weight(10)) for number in range(1, 500)]
    assert set(tickets) == set(range(10))


def test_a_ticket_is_the_same_for_everybody():
    assert leader_ticket(START, Round(7), Weight(1_000)) == 119
