"""A withdrawal key: the account's own key works and stakes, but cannot carry the money away."""

import pytest
from msgspec.structs import replace

from protocol.accounts import Accounts
from protocol.balances import Available, Custody, Escrow, Move, Reserve, Staked
from protocol.errors import Misuse, Reason, Rejected
from protocol.messages import (
    CustodyTerms,
    CustodyUnstaking,
    CustodyWithdrawal,
    StakeDeposit,
    StakeWithdrawal,
    Transfer,
)
from protocol.parameters import minimal
from protocol.units import CREDIT, AccountId, JobId
from tests.support.builders import RICHES, STAKE, HandLedger, account_id, make_genesis, make_offer

HOT, COLD, THIEF, NEW = (account_id(number) for number in (1, 8, 2, 20))
FEE = minimal().operation_fee
ALLOWANCE = 20 * CREDIT
TERMS = CustodyTerms(HOT, COLD, ALLOWANCE)


def entrusted(allowance: int = ALLOWANCE) -> HandLedger:
    """Account 1 is in the custody of 8, which has credits of its own; neither votes."""
    genesis = make_genesis(1, others=(1, 2, 8), available=RICHES + STAKE)
    custodies = (replace(TERMS, allowance=allowance),)
    return HandLedger(replace(genesis, custodies=custodies))


def custody_of(ledger: HandLedger) -> Custody | None:
    return ledger.state.accounts.of(HOT).custody


def test_money_goes_to_the_withdrawal_key_and_to_nobody_else() -> None:
    ledger = entrusted()
    assert ledger.fail(1, Transfer(THIEF, CREDIT)).reason is Reason.WITHDRAWAL_KEY
    assert ledger.fail(1, Transfer(NEW, CREDIT)).reason is Reason.WITHDRAWAL_KEY
    ledger.do(1, Transfer(COLD, CREDIT))
    assert ledger.state.accounts.of(COLD).available == RICHES + STAKE + CREDIT
    assert custody_of(ledger) == Custody(COLD, ALLOWANCE - 3 * FEE)


def test_the_withdrawal_key_takes_money_without_the_accounts_own_key() -> None:
    ledger = entrusted()
    ledger.do(8, CustodyWithdrawal(HOT, 100 * CREDIT))
    assert ledger.state.accounts.of(HOT).available == RICHES + STAKE - 100 * CREDIT
    assert ledger.state.accounts.of(COLD).available == RICHES + STAKE + 100 * CREDIT - FEE
    assert ledger.state.next_nonce(HOT) == 0
    assert ledger.fail(2, CustodyWithdrawal(HOT, 1)).reason is Reason.NOT_OWNER
    assert ledger.fail(1, CustodyWithdrawal(HOT, 1)).reason is Reason.NOT_OWNER


def test_stake_can_be_deposited_and_unbonded_but_comes_back_into_custody() -> None:
    ledger = entrusted()
    ledger.do(1, StakeDeposit(STAKE))
    ledger.do(1, StakeWithdrawal(STAKE // 2))
    ledger.do(8, CustodyUnstaking(HOT, STAKE // 2))
    assert ledger.fail(2, CustodyUnstaking(HOT, 1)).reason is Reason.NOT_OWNER
    ledger.turn(2)
    for _ in range(6):
        ledger.commit(step_ms=14_000)
    account = ledger.state.accounts.of(HOT)
    assert (account.staked, account.unbonding) == (0, ())
    assert account.available == RICHES + STAKE - 2 * FEE
    assert ledger.fail(1, Transfer(THIEF, CREDIT)).reason is Reason.WITHDRAWAL_KEY


def test_escrows_are_spent_from_the_allowance_and_refunds_restore_it() -> None:
    ledger = entrusted()
    job = ledger.open(1, make_offer(budget=15 * CREDIT))
    assert custody_of(ledger) == Custody(COLD, 5 * CREDIT - FEE)
    assert ledger.fail(1, make_offer(budget=15 * CREDIT)).reason is Reason.OVER_ALLOWANCE
    while not ledger.state.jobs[job].terminal:
        ledger.commit()
    assert ledger.state.jobs[job].refund == 15 * CREDIT
    assert custody_of(ledger) == Custody(COLD, ALLOWANCE - 2 * FEE)


def test_without_an_allowance_failures_are_paid_from_stake_or_not_sent_at_all() -> None:
    ledger = entrusted(0)
    assert not ledger.state.may_send(HOT)
    assert ledger.fail(1, Transfer(COLD, CREDIT)).reason is Reason.OVER_ALLOWANCE
    ledger.do(8, replace(TERMS, allowance=FEE))
    assert ledger.state.may_send(HOT)
    ledger.do(1, StakeDeposit(STAKE))
    assert custody_of(ledger) == Custody(COLD, 0)
    assert ledger.fail(1, Transfer(THIEF, CREDIT)).reason is Reason.OVER_ALLOWANCE
    assert ledger.state.accounts.of(HOT).staked == STAKE - FEE


def test_an_account_names_its_first_key_and_only_that_key_the_next() -> None:
    ledger = HandLedger(make_genesis(1, others=(1, 2, 8)))
    assert ledger.fail(8, TERMS).reason is Reason.NOT_OWNER
    ledger.do(1, TERMS)
    assert custody_of(ledger) == Custody(COLD, ALLOWANCE)
    assert ledger.fail(1, replace(TERMS, allowance=2**60)).reason is Reason.NOT_OWNER
    ledger.do(8, replace(TERMS, key=THIEF, allowance=0))
    assert custody_of(ledger) == Custody(THIEF, 0)
    assert ledger.fail(8, TERMS).reason is Reason.NOT_OWNER


@pytest.mark.parametrize(
    ("key", "reason"), [(HOT, Reason.BAD_TERMS), (AccountId(bytes(32)), Reason.BAD_KEY)]
)
def test_a_key_that_nobody_else_has_is_refused(key: AccountId, reason: Reason) -> None:
    ledger = HandLedger(make_genesis(1, others=(1,)))
    assert ledger.fail(1, CustodyTerms(HOT, key, 0)).reason is reason


def test_no_movement_of_any_rule_carries_money_past_the_key() -> None:
    accounts = entrusted(CREDIT).state.accounts
    one, source = CREDIT, Available(HOT)
    for target, reason in (
        (Available(THIEF), Reason.WITHDRAWAL_KEY),
        (Staked(THIEF), Reason.WITHDRAWAL_KEY),
        (Escrow(JobId(bytes(32)), HOT), Reason.OVER_ALLOWANCE),
        (Reserve.BURNED, Reason.OVER_ALLOWANCE),
        (Reserve.POOL, Reason.OVER_ALLOWANCE),
    ):
        with pytest.raises(Rejected) as refusal:
            accounts.check((Move(source, target, one + 1),))
        assert refusal.value.reason is reason
    accounts.check((Move(source, Staked(HOT), one), Move(source, Available(COLD), one)))


@pytest.mark.parametrize(
    "custodies",
    [(TERMS, TERMS), (replace(TERMS, account=NEW),), (replace(TERMS, key=HOT),)],
)
def test_a_genesis_entrusts_each_account_once_and_to_another_key(
    custodies: tuple[CustodyTerms, ...],
) -> None:
    with pytest.raises(Misuse):
        Accounts(replace(make_genesis(2), custodies=custodies))
