from protocol import effects as fx
from protocol.claims import Unavailable
from protocol.encoding import content_digest
from protocol.facts import JobAdvanced
from protocol.job.delivery import checkers
from protocol.job.record import Phase
from protocol.roles.requester import Requester
from tests.support.builders import HandLedger, account_id, make_offer


def finished() -> HandLedger:
    """A job of account 0 that has ended well."""
    ledger = HandLedger()
    ledger.run(ledger.start().identifier)
    return ledger


def test_the_output_of_an_own_settled_job_is_fetched_once() -> None:
    ledger = finished()
    (job,) = ledger.state.jobs.values()
    assert job.phase is Phase.SETTLED
    assert job.accepted is not None
    fetched = Requester(account_id(0), ledger.state).react(ledger.facts)
    assert fetched == (
        fx.FetchOutput(job.identifier, content_digest(b"right"), job.accepted.members),
    )


def test_the_output_of_others_jobs_is_left_alone() -> None:
    ledger = finished()
    assert Requester(account_id(1), ledger.state).react(ledger.facts) == ()


def test_before_the_end_nothing_is_fetched() -> None:
    ledger = HandLedger()
    ledger.start()
    assert Requester(account_id(0), ledger.state).react(ledger.facts) == ()


def test_a_job_without_a_result_has_nothing_to_fetch() -> None:
    ledger = HandLedger()
    job = ledger.open()
    ended = ledger.until(job, *(phase for phase in Phase if phase is not Phase.BIDDING))
    assert ended.accepted is None
    facts = [*ledger.facts, JobAdvanced(job, Phase.SETTLED)]
    assert Requester(account_id(0), ledger.state).react(facts) == ()


def test_what_checkers_found_is_fetched_from_them_too() -> None:
    ledger = HandLedger()
    ledger.bid(ledger.open(0, make_offer(bid_window_rounds=100)), *range(1, 7))
    job = ledger.start(make_offer(retention_ms=60_000), bidders=(1, 2, 3)).identifier
    ledger.run(job)
    ledger.do(0, Unavailable(job))
    requester = Requester(account_id(0), ledger.state)
    while ledger.state.jobs[job].delivering:
        ledger.facts.clear()
        ledger.commit()
        if ledger.state.jobs[job].delivering:
            assert requester.react(ledger.facts) == (), "they are still looking"
    record = ledger.state.jobs[job]
    assert len(checkers(record)) == 3
    holders = (*record.groups[0].members, *checkers(record))
    expected = fx.FetchOutput(job, content_digest(b"right"), holders)
    assert requester.react(ledger.facts) == (expected,)
