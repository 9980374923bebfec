"""Who counts as a worker of which kind, and for how long."""

from dataclasses import replace

from protocol.job.workforce import Workforce
from protocol.messages import Bid, Offer
from tests.support.builders import HandLedger, account_id, make_offer


def known(workforce: Workforce, offer: Offer, device: str | None = None) -> set[int]:
    numbers = HandLedger().numbers
    return {numbers[account] for account in workforce.of(offer, device)}


def test_bidders_are_workers_of_their_kind_and_device_until_their_job_leaves() -> None:
    ledger = HandLedger()
    job = ledger.open()
    ledger.bid(job, 1, 2, device="cpu/a")
    ledger.bid(job, 3, device="cuda/b")
    record = ledger.state.jobs[job]
    workforce = Workforce()
    workforce.note(None, replace(record, bids=record.bids[:2]))
    workforce.note(replace(record, bids=record.bids[:2]), record)
    assert known(workforce, make_offer()) == {1, 2, 3}
    assert known(workforce, make_offer(device="cuda")) == {3}
    assert known(workforce, make_offer(), "cpu/a") == {1, 2}
    assert known(workforce, make_offer(kind="wasm")) == set()
    assert list(workforce.of(make_offer())) == sorted(account_id(n) for n in (1, 2, 3))
    workforce.forget(record)
    assert known(workforce, make_offer()) == set()


def test_who_bid_for_two_jobs_stays_while_one_is_held() -> None:
    ledger = HandLedger()
    records = []
    for _ in range(2):
        job = ledger.open()
        ledger.bid(job, 1)
        records.append(ledger.state.jobs[job])
    workforce = Workforce()
    for record in records:
        workforce.note(None, record)
    workforce.forget(records[0])
    assert known(workforce, make_offer()) == {1}


def test_who_only_bids_at_a_lower_sandbox_level_does_not_check_where_a_higher_one_is_asked() -> (
    None
):
    ledger = HandLedger()
    job = ledger.open()
    for number, level in ((1, 0), (2, 2), (3, 4)):
        ledger.do(number, Bid(job, 1_000, "cpu", 1_000, level))
    workforce = Workforce()
    workforce.note(None, ledger.state.jobs[job])
    assert known(workforce, make_offer()) == {1, 2, 3}
    assert known(workforce, make_offer(sandbox_level=2)) == {2, 3}
    assert known(workforce, make_offer(sandbox_level=4), "cpu") == {3}


def test_a_loaded_state_knows_the_same_workers() -> None:
    ledger = HandLedger()
    ledger.run(ledger.start().identifier)
    before = ledger.state.workers_of(make_offer())
    ledger.reload()
    assert ledger.state.workers_of(make_offer()) == before != ()
