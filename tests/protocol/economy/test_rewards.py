"""Pay, bonuses, fees and the most that a job can cost, to the millionth."""

from msgspec.structs import replace

from protocol.economy.rewards import (
    bonuses_of,
    fee_on,
    half_pay,
    metered_ms,
    most_cost,
    most_pay,
    paid_limit_ms,
    pay,
)
from protocol.messages import Limits
from protocol.parameters import live
from protocol.units import CREDIT, BasisPoints, Credits, Milliseconds
from tests.support.builders import make_offer

SECOND = Milliseconds(1_000)
TWO = Credits(2 * CREDIT)


def test_a_checked_result_with_all_bonuses_earns_2_8875_times_its_hour() -> None:
    bonuses = bonuses_of(live(), checked=True, audited=False, in_time=True, present=True)
    assert pay(TWO, SECOND, bonuses) == 2_887_500


def test_an_audited_result_with_all_bonuses_earns_3_025_times_its_hour() -> None:
    bonuses = bonuses_of(live(), checked=True, audited=True, in_time=True, present=True)
    assert pay(TWO, SECOND, bonuses) == 3_025_000


def test_the_order_of_bonuses_changes_nothing() -> None:
    some = [BasisPoints(2_500), BasisPoints(1_000), BasisPoints(500)]
    price, time_ms = Credits(1_237), Milliseconds(7_919)
    assert pay(price, time_ms, some) == pay(price, time_ms, reversed(some))


def test_a_lone_unaudited_result_earns_its_base() -> None:
    bonuses = bonuses_of(live(), checked=False, audited=False, in_time=False, present=False)
    assert bonuses == ()
    assert pay(Credits(1_000), Milliseconds(1_999)) == 1_999


def test_half_pay_rounds_down() -> None:
    assert half_pay(Credits(3), SECOND) == 1


def test_the_most_pay_has_every_bonus() -> None:
    assert most_pay(TWO, SECOND, live()) == 3_025_000


def test_the_most_pay_rounds_up() -> None:
    assert most_pay(Credits(1), Milliseconds(1), live()) == 1


def test_the_fee_is_a_share_on_top() -> None:
    assert fee_on(Credits(100), live()) == 5
    assert most_cost(3, Credits(100), live()) == 315
    assert most_cost(1, Credits(1), live()) == 2


def test_fuel_is_paid_at_the_networks_rate() -> None:
    rate = live().fuel_per_second
    assert metered_ms(rate, live()) == 1_000
    assert metered_ms(rate + 1, live()) == 1_001
    assert metered_ms(0, live()) == 0


def test_a_metered_run_is_paid_up_to_its_fuel() -> None:
    limits = Limits(60_000, 1, 1, live().fuel_per_second)
    assert paid_limit_ms(replace(make_offer(kind="wasm"), limits=limits), live()) == 1_000
    assert paid_limit_ms(replace(make_offer(kind="onnx"), limits=limits), live()) == 60_000
