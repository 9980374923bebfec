"""Nobody escapes a punishment by leaving, and a vote never weighs more than what answers for it."""

from msgspec.structs import replace

from protocol.economy.slashing import Penalties
from protocol.errors import Reason
from protocol.facts import EpochClosed, OperationApplied, Slashed
from protocol.messages import StakeWithdrawal
from protocol.parameters import minimal
from protocol.units import CREDIT, Milliseconds
from tests.support.builders import STAKE, HandLedger, make_genesis
from tests.support.contradiction import contradict
from tests.support.town import ANN, BEA, Town

SHARE = 3 * 10_000 // 4
"""What one contradicting member of four loses, in basis points."""
BRIEF = replace(minimal(), unbonding_ms=1_000, committee_weight_min=0)
"""Stake unbonds sooner than an epoch ends."""


def leave(town: Town, number: int = 1) -> None:
    facts = town.commit((number, StakeWithdrawal(STAKE)))
    assert [type(fact) for fact in facts] == [OperationApplied]


def test_a_member_that_withdraws_in_the_epoch_of_its_contradiction_answers_with_all_of_it() -> None:
    town = Town(parameters=BRIEF)
    evidence = contradict(town.state.committee, 1)
    leave(town)
    for _ in range(5):
        town.commit()
    assert town.state.ledger_time_ms > BRIEF.unbonding_ms + 3_000
    assert town.state.accounts.of(BEA).slashable == STAKE, "its time is over, its epoch is not"
    town.close(0, 1, 2, 3)
    for _ in range(3):
        town.commit()
    (_, slash) = town.commit((0, evidence))
    assert isinstance(slash, Slashed)
    assert (slash.account, slash.amount) == (BEA, STAKE * SHARE // 10_000)


def test_what_a_member_withdrew_is_free_when_its_epochs_can_no_longer_be_judged() -> None:
    town = Town(parameters=BRIEF)
    leave(town)
    before = town.state.accounts.of(BEA).available
    for _ in range(2):
        town.close(0, 1, 2, 3)
        assert town.state.accounts.of(BEA).slashable == STAKE
    town.commit()
    assert town.state.accounts.of(BEA).slashable == 0
    assert town.state.accounts.of(BEA).available == before + STAKE


def test_an_unbonding_longer_than_two_epochs_ends_at_its_own_time() -> None:
    town = Town(parameters=replace(BRIEF, unbonding_ms=9_000))
    leave(town)
    for _ in range(8):
        town.close(0, 2, 3)
        assert town.state.accounts.of(BEA).slashable == STAKE
    town.close(0, 2, 3)
    assert town.state.accounts.of(BEA).slashable == 0


def test_a_vote_weighs_less_from_the_next_election_on() -> None:
    town = Town(parameters=BRIEF)
    part = STAKE // 4
    town.commit((0, StakeWithdrawal(part)))
    leave(town)
    assert sorted(town.state.committee.weights) == [10_000] * 4, "this epoch's votes are cast"
    (closed,) = town.close(0, 1, 2, 3)
    assert isinstance(closed, EpochClosed)
    assert closed.left == (BEA,)
    weights = {one.account: one.weight for one in town.state.committee.members}
    assert weights[ANN] == 7_500


def test_a_state_loaded_between_goes_on_holding_back_what_can_still_be_punished() -> None:
    ledger = HandLedger(make_genesis(parameters=BRIEF))
    ledger.do(1, StakeWithdrawal(STAKE))
    ledger.commit(closes=True, authors=range(7))
    ledger.commit(authors=[0, 2, 3])
    ledger.reload()
    ledger.commit(closes=True, authors=[0, 2, 3])
    assert ledger.state.accounts.of(BEA).slashable == STAKE
    ledger.commit()
    assert ledger.state.accounts.of(BEA).slashable == 0


def test_the_record_of_the_punished_holds_two_epochs_and_no_more() -> None:
    ledger = HandLedger(make_genesis(parameters=BRIEF))
    told = []
    for number in (1, 2, 3, 4):
        told.append(contradict(ledger.state.committee, number))
        ledger.do(0, told[-1])
        ledger.turn()
        record = ledger.state._punishment.record()
        assert [one.epoch for one in record.punished] == [ledger.state.epochs.epoch - 1]
        assert ledger.fail(0, told[-1]).reason is Reason.ALREADY_PUNISHED
        assert all(ledger.fail(0, old).reason is Reason.EVIDENCE_TOO_OLD for old in told[:-1])
    ledger.turn(2)
    assert ledger.state._punishment.record() == Penalties()


def test_a_penalty_counts_in_the_window_of_unbonding_across_epochs() -> None:
    ledger = HandLedger(make_genesis(parameters=replace(BRIEF, unbonding_ms=9_000)))
    ledger.do(0, contradict(ledger.state.committee, 1))
    ledger.turn(2)
    assert ledger.state._punishment.record().weight_since(Milliseconds(0)) == STAKE // CREDIT
    for _ in range(9):
        ledger.commit()
    ledger.turn()
    assert ledger.state._punishment.record() == Penalties()


def test_a_contradiction_of_an_epoch_that_has_not_begun_proves_nothing() -> None:
    ledger, ahead = (HandLedger(make_genesis(parameters=BRIEF)) for _ in range(2))
    ahead.turn()
    evidence = contradict(ahead.state.committee, 1)
    assert ledger.fail(0, evidence).reason is Reason.BAD_EVIDENCE
    ahead.turn(2)
    staked = ahead.state.accounts.of(BEA).staked
    assert ahead.fail(0, evidence).reason is Reason.EVIDENCE_TOO_OLD
    assert ahead.state.accounts.of(BEA).staked == staked
