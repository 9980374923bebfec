"""The state pays yield when ledger time has passed, and knows who was there."""

from msgspec.structs import replace

from protocol.economy.emission import Emission
from protocol.parameters import minimal
from tests.support.builders import HandLedger, account_id, make_genesis


def test_yield_is_paid_by_ledger_time_and_a_gap_earns_only_its_step() -> None:
    terms = replace(minimal(), yield_step_ms=20_000)
    ledger = HandLedger(make_genesis(parameters=terms))
    assert ledger.commit(step_ms=14_000) == ()
    (first,) = ledger.commit(step_ms=7_000)
    assert ledger.commit(step_ms=10**9) == ()
    (second,) = ledger.commit(step_ms=10**9)
    assert isinstance(first, Emission)
    assert isinstance(second, Emission)
    assert (first.step, first.elapsed_ms, first.rewarded) == (0, 21_000, ())
    assert (second.step, second.elapsed_ms) == (1, 30_000)
    assert first.base < second.base
    assert ledger.state.accounts.minted == first.base + second.base


def test_members_with_blocks_in_the_ledger_are_up() -> None:
    terms = replace(minimal(), yield_step_ms=20_000, uptime_steps=1)
    ledger = HandLedger(make_genesis(parameters=terms))
    ledger.commit(step_ms=15_000, authors=(0, 1, 2))
    facts = ledger.commit(step_ms=15_000, authors=(0, 1))
    (emission,) = facts
    assert isinstance(emission, Emission)
    there = [account_id(number) for number in range(7) if ledger.state.is_up(account_id(number))]
    assert sorted(emission.rewarded) == sorted(there)
    assert len(there) == 2
