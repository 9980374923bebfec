"""The state pays yield where an epoch ends, and knows who was there."""

from msgspec.structs import replace

from protocol.balances import YIELD_SCALE
from protocol.economy.emission import Emission
from protocol.job.record import Status
from protocol.messages import Lease, Registration, StakeDeposit
from protocol.parameters import minimal
from tests.support.builders import STAKE, HandLedger, account_id, make_genesis, vrf_key

TERMS = replace(minimal(), uptime_epochs=1)
ALL = range(7)


def paid(ledger: HandLedger, authors: range | tuple[int, ...] = ALL) -> Emission:
    """Ends the epoch; `authors` have a block in its last commit."""
    facts = ledger.commit(step_ms=7_000, authors=authors, closes=True)
    (emission,) = (fact for fact in facts if isinstance(fact, Emission))
    return emission


def test_yield_is_paid_where_an_epoch_ends_and_a_gap_earns_only_its_step() -> None:
    ledger = HandLedger(make_genesis(parameters=minimal()))
    assert ledger.commit(step_ms=14_000, authors=ALL) == ()
    first = paid(ledger)
    ledger.commit(step_ms=10**9)
    ledger.commit(step_ms=8_000)
    second = paid(ledger)
    assert (first.epoch, first.elapsed_ms, first.rewarded) == (0, 21_000, ())
    assert (second.epoch, second.elapsed_ms) == (1, 30_000)
    assert first.base < second.base
    assert ledger.state.accounts.minted == first.base + second.base


def test_what_an_epoch_paid_an_account_is_what_its_balance_grows_by() -> None:
    ledger = HandLedger(make_genesis(parameters=TERMS))
    accounts, ann = ledger.state.accounts, account_id(0)
    emission = paid(ledger)
    (payday,) = ledger.state.earnings.recent
    assert payday.emission is emission
    owed = accounts.of(ann).due(accounts.yield_index) // YIELD_SCALE
    assert payday.earned_by(ann) == owed > emission.base // 7, "with the bonus"
    assert payday.earned_by(account_id(20)) is None


def test_members_with_blocks_in_nearly_all_rounds_are_up() -> None:
    ledger = HandLedger(make_genesis(parameters=TERMS))
    ledger.commit(step_ms=15_000, authors=(0, 1, 2))
    emission = paid(ledger, (0, 1))
    there = [account_id(number) for number in ALL if ledger.state.is_up(account_id(number))]
    assert sorted(emission.rewarded) == sorted(there)
    assert len(there) == 2


def outsiders_ledger() -> HandLedger:
    """Seven members, and three accounts that have a stake, a key and no seat yet."""
    terms = replace(TERMS, committee_max=7)
    genesis = make_genesis(available=2 * STAKE, parameters=terms, others=[8, 9, 10])
    ledger = HandLedger(genesis)
    for number in (8, 9, 10):
        ledger.do(number, StakeDeposit(STAKE // 2))
        ledger.do(number, Registration(vrf_key(number)))
    ledger.turn()
    return ledger


def test_an_account_without_a_seat_is_up_by_the_leases_that_it_renews() -> None:
    ledger = outsiders_ledger()
    lease = Lease(ledger.state.committee.beacon_at_start)
    ledger.do(8, lease)
    emission = paid(ledger)
    assert account_id(8) in emission.rewarded
    assert account_id(9) not in emission.rewarded, "it renewed none"
    assert ledger.state.committee.index_of(account_id(8)) is None
    assert account_id(8) not in paid(ledger).rewarded, "a lease is for one epoch"


def test_a_deadline_that_passes_costs_the_uptime_of_its_epoch_and_no_stake() -> None:
    ledger = outsiders_ledger()
    beacon = ledger.state.committee.beacon_at_start
    job = ledger.open(0)
    ledger.bid(job, 8, 9, 10)
    while not ledger.running(job):
        ledger.commit()
    silent, prompt = ledger.running(job)[:2]
    for number in (silent, prompt):
        ledger.do(number, Lease(beacon))
    while ledger.state.jobs[job].executors[0].status is Status.RUNNING:
        ledger.commit(step_ms=14_000)
    missed = [
        ledger.numbers[one.account]
        for one in ledger.state.jobs[job].executors
        if one.status is Status.MISSED
    ]
    assert silent in missed
    assert ledger.state.accounts.of(account_id(silent)).staked == STAKE // 2
    assert account_id(silent) not in paid(ledger).rewarded


def test_a_ledger_that_formed_no_committee_still_says_who_was_there() -> None:
    ledger = HandLedger(make_genesis(parameters=replace(TERMS, committee_weight_min=10_000)))
    assert account_id(1) in paid(ledger, (0, 1)).rewarded
    assert ledger.state.epochs.stopped
    assert ledger.state.is_up(account_id(1))
    assert not ledger.state.is_up(account_id(2))
