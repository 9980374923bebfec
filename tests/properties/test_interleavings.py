"""Random interleavings keep every promise about money, and a broken rule is noticed."""

import pytest

from protocol import state
from protocol.accounts import Accounts, _Draft
from protocol.balances import Available, Move, Reserve, Staked
from protocol.economy import fees, slashing, staking
from protocol.job import settlement
from protocol.ledger import election
from protocol.units import CREDIT, Credits
from tests.properties.interleaving import play

COUNT = 500
NEEDED = (
    "CustodyTerms done",
    "CustodyUnstaking done",
    "CustodyWithdrawal done",
    "OVER_ALLOWANCE",
    "WITHDRAWAL_KEY",
    "STALE_NONCE",
    "StakeWithdrawal done",
    "ended inconclusive",
    "ended refunded",
    "ended settled",
    "slashed by a job",
    "slashed for a contradiction",
    "slashed while unbonding",
    "epochs",
    "told after leaving",
    "told too late",
    "held back",
    "unopened",
    "Cancellation done",
)


@pytest.mark.slow
def test_no_interleaving_breaks_a_promise_about_money() -> None:
    seen = play(range(COUNT))
    assert [name for name in NEEDED if seen[name] < 10] == [], seen


def at_once(identifier: bytes, account: object, amount: int, *_: object) -> tuple[Move, ...]:
    return (Move(Staked(identifier), Available(identifier), Credits(amount)),)


MUTANTS: dict[str, tuple[object, str, object, str]] = {
    "the fee of a job is not burned": (
        settlement,
        "fee_on",
        lambda payouts, parameters: Credits(0),
        "each payout burns its share",
    ),
    "the fee of an operation goes to the pool": (
        fees,
        "burn",
        lambda account, amount: Move(Available(account), Reserve.POOL, amount),
        "the pool holds what is owed",
    ),
    "stake comes back at once": (staking, "withdraw", at_once, "no stake escapes"),
    "stake comes back while its epoch can be judged": (
        state,
        "matured_ms",
        lambda ledger_ms, *_: ledger_ms,
        "nobody leaves before its epoch is over",
    ),
    "a vote weighs what was withdrawn": (
        election.Candidate,
        "weight",
        property(lambda candidate: candidate.recorded // CREDIT),
        "a vote weighs no more than is staked",
    ),
    "a contradiction is forgotten": (
        slashing.Penalties,
        "including",
        lambda penalties, *_: penalties,
        "a contradiction is punished once",
    ),
    "yield is owed but never minted": (
        Accounts,
        "_mint",
        lambda *_: Credits(0),
        "the pool",
    ),
    "an allowance is never used up": (
        _Draft,
        "_hold_back",
        lambda *_: None,
        "custody holds",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_rule_is_noticed(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, broken, told = MUTANTS[mutant]
    monkeypatch.setattr(owner, name, broken)
    with pytest.raises(AssertionError, match=told):
        play(range(60))
