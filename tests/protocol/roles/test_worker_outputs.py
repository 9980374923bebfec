"""What a worker and a requester's node say of an output that cannot be fetched."""

import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.claims import Unavailable
from protocol.job.delivery import checkers
from protocol.messages import Transfer
from protocol.units import JobId
from tests.protocol.roles.test_worker import SALT
from tests.protocol.roles.test_worker_bids import bidder
from tests.support.builders import HandLedger, account_id, digest, make_offer


def doubted() -> tuple[HandLedger, JobId, int]:
    """A settled job whose requester says that it cannot have the output, and one drawn checker."""
    ledger = HandLedger()
    ledger.bid(ledger.open(0, make_offer(bid_window_rounds=100)), *range(1, 7))
    job = ledger.start(make_offer(retention_ms=60_000), bidders=(1, 2, 3)).identifier
    ledger.run(job)
    ledger.do(0, Unavailable(job))
    while not checkers(ledger.state.jobs[job]):
        ledger.commit()
    return ledger, job, ledger.numbers[checkers(ledger.state.jobs[job])[0]]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_drawn_checker_fetches_and_says_once_that_it_could_not(restarts: bool) -> None:
    ledger, job, number = doubted()
    worker = bidder(number, ledger)
    if restarts:
        worker.restore((), ())
        ledger.facts.clear()
        ledger.commit(ledger.operation(5, Transfer(account_id(4), 1)))
    members = ledger.state.jobs[job].groups[0].members
    fetches = [fx.FetchOutput(job, digest(b"right"), members)]
    seen = worker.react(ledger.facts).effects
    assert [one for one in seen if isinstance(one, fx.FetchOutput)] == fetches
    assert [e for e in worker.react(ledger.facts).effects if isinstance(e, fx.FetchOutput)] == []
    failed = ev.ExecutionImpossible(job, unavailable=True)
    ((kept, said),) = worker.ended(failed, lambda _: SALT)
    assert (kept, said) == (None, Unavailable(job))
    assert worker.ended(failed, lambda _: SALT) == (), "once"
    ledger.do(number, said)
    assert [e for e in worker.react(ledger.facts).effects if isinstance(e, fx.FetchOutput)] == []


def test_the_requesters_node_claims_once_what_it_could_not_fetch_while_payouts_wait() -> None:
    ledger = HandLedger()
    plain = ledger.run(ledger.start().identifier).identifier
    kept = ledger.run(ledger.start(make_offer(retention_ms=60_000)).identifier).identifier
    worker = bidder(0, ledger)
    for job, expected in ((plain, ()), (kept, ((None, Unavailable(kept)),)), (kept, ())):
        failed = ev.ExecutionImpossible(job, unavailable=True)
        assert worker.ended(failed, lambda _: SALT) == expected
    other = bidder(5, ledger)
    assert other.ended(ev.ExecutionImpossible(kept, unavailable=True), lambda _: SALT) == ()
