"""Uptime: counted by blocks or leases, forgotten within a day, never claimed."""

from msgspec.structs import replace

from protocol.economy.uptime import UNKNOWN, Attendance, Uptime, after_kept, kept_of
from protocol.parameters import live
from protocol.units import AccountId, Epoch
from tests.support.builders import account_id

TERMS = replace(live(), uptime_epochs=20)
ROUNDS = 10


class Ledger:
    """Epochs that end one after the other."""

    def __init__(self) -> None:
        self.attendance = Attendance()
        self.epoch = Epoch(0)

    def close(
        self,
        blocks: dict[int, int],
        epochs: int = 1,
        leased: tuple[int, ...] = (),
        missed: tuple[int, ...] = (),
    ) -> None:
        seats = [account_id(number) for number in blocks]
        for _ in range(epochs):
            for number, count in blocks.items():
                self.attendance.count([account_id(number)] * count)
            for number in missed:
                self.attendance.miss(account_id(number))
            asked = [account_id(number) for number in leased]
            self.attendance.close(self.epoch, ROUNDS, seats, asked, TERMS)
            self.epoch = Epoch(self.epoch + 1)

    def kept(self, account: AccountId) -> int:
        return self.attendance.kept(account, Epoch(self.epoch - 1), TERMS)

    def is_up(self, account: AccountId) -> bool:
        return self.attendance.is_up(account, Epoch(self.epoch - 1), TERMS)


def test_a_record_is_one_bit_an_epoch_and_forgets_what_lies_before_the_window() -> None:
    first = after_kept(UNKNOWN, Epoch(0), TERMS)
    assert first == Uptime(Epoch(0), b"\x01")
    third = after_kept(first, Epoch(2), TERMS)
    assert third == Uptime(Epoch(2), b"\x05")
    assert [kept_of(third, Epoch(step), TERMS) for step in (2, 19, 20, 21, 22, 10**9)] == [
        *(2, 2, 1, 1, 0, 0)
    ]


def test_a_record_of_long_ago_starts_anew() -> None:
    old = after_kept(UNKNOWN, Epoch(3), TERMS)
    assert after_kept(old, Epoch(10**12), TERMS) == Uptime(Epoch(10**12), b"\x01")


def test_a_member_is_up_after_it_kept_nearly_a_whole_window() -> None:
    ledger = Ledger()
    ledger.close({1: ROUNDS}, 18)
    assert not ledger.is_up(account_id(1))
    ledger.close({1: ROUNDS})
    assert ledger.kept(account_id(1)) == 19
    assert ledger.is_up(account_id(1))


def test_one_missed_epoch_of_twenty_is_forgiven_and_a_second_is_not() -> None:
    ledger = Ledger()
    ledger.close({1: ROUNDS}, 20)
    ledger.close({})
    assert ledger.is_up(account_id(1))
    ledger.close({2: ROUNDS})
    assert not ledger.is_up(account_id(1))
    ledger.close({1: ROUNDS}, 19)
    assert ledger.is_up(account_id(1))


def test_an_epoch_needs_blocks_in_nearly_all_of_its_rounds() -> None:
    ledger = Ledger()
    ledger.close({1: 8, 2: 7})
    assert ledger.attendance.present == (account_id(1),)
    assert ledger.attendance.take_changes() == ((account_id(1), Uptime(Epoch(0), b"\x01")),)
    assert ledger.attendance.take_changes() == ()


def test_blocks_count_once() -> None:
    ledger = Ledger()
    ledger.close({1: ROUNDS})
    ledger.close({2: ROUNDS})
    assert ledger.attendance.present == (account_id(2),)


def test_whoever_never_had_a_block_kept_nothing() -> None:
    ledger = Ledger()
    assert ledger.kept(account_id(5)) == 0
    assert not ledger.is_up(account_id(5))


def test_an_account_without_a_seat_keeps_an_epoch_by_its_lease_alone() -> None:
    ledger = Ledger()
    ledger.close({1: ROUNDS}, leased=(2, 3))
    assert ledger.attendance.present == tuple(sorted(map(account_id, (1, 2, 3))))
    ledger.close({1: ROUNDS})
    assert ledger.attendance.present == (account_id(1),), "a lease is for one epoch"


def test_whoever_lets_a_job_wait_did_not_keep_the_epoch_in_spite_of_its_lease() -> None:
    ledger = Ledger()
    ledger.close({1: ROUNDS}, leased=(2, 3), missed=(2,))
    assert ledger.attendance.present == tuple(sorted(map(account_id, (1, 3))))
    ledger.close({1: ROUNDS}, leased=(2,))
    assert account_id(2) in ledger.attendance.present, "a miss counts in its own epoch"


def test_a_member_is_there_by_its_blocks_whatever_it_leased_or_missed() -> None:
    ledger = Ledger()
    ledger.close({1: ROUNDS, 2: 1}, leased=(2,), missed=(1,))
    assert ledger.attendance.present == (account_id(1),)
