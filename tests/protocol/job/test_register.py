"""Jobs come, end, and leave the state when nobody can bring anything more."""

import pytest
from msgspec.structs import replace

from protocol.errors import Reason, Rejected
from protocol.job.record import Phase, Status
from protocol.job.register import Register
from protocol.messages import Cancellation
from protocol.parameters import minimal
from protocol.units import JobId
from tests.support.builders import HandLedger, make_genesis, make_reveal

KEPT_MS = 30_000
TERMS = replace(minimal(), ended_job_kept_ms=KEPT_MS)


def ledger_that_forgets() -> HandLedger:
    return HandLedger(make_genesis(parameters=TERMS))


def ended_ms(ledger: HandLedger, job: JobId) -> int:
    ended = ledger.state.jobs[job].ended_ms
    assert ended is not None
    return ended


def test_an_ended_job_stays_for_its_time_and_then_leaves() -> None:
    ledger = ledger_that_forgets()
    job = ledger.open()
    assert ledger.state.jobs[job].ended_ms is None
    ledger.do(0, Cancellation(job))
    ended = ended_ms(ledger, job)
    assert ended == ledger.state.ledger_time_ms
    while ledger.state.ledger_time_ms < ended + KEPT_MS - 1_000:
        ledger.commit()
        assert job in ledger.state.jobs
    before = ledger.state.digest, len(ledger.state.tree)
    ledger.commit()
    assert (job in ledger.state.jobs, len(ledger.state.tree)) == (False, before[1] - 1)
    assert ledger.fail(0, Cancellation(job)).reason is Reason.UNKNOWN_JOB


def test_a_job_stays_while_an_unopened_commitment_can_still_matter() -> None:
    ledger = ledger_that_forgets()
    job = ledger.start().identifier
    silent, *others = ledger.running(job)
    for number in (silent, *others):
        ledger.send_commitment(number, make_reveal(job))
    ledger.until(job, Phase.REVEALING)
    for number in others:
        ledger.do(number, ledger.reveals[number, job])
    while not ledger.state.jobs[job].terminal:
        ledger.commit()
    record = ledger.state.jobs[job]
    assert len(record.having(Status.UNOPENED)) == 1
    ended = ended_ms(ledger, job)
    assert record.concluded_ms is None
    while ledger.state.jobs[job].having(Status.UNOPENED):
        ledger.commit()
    assert ledger.state.ledger_time_ms > ended + KEPT_MS, "it stayed longer for the commitment"
    ledger.commit()
    assert job not in ledger.state.jobs
    assert not any(ledger.state.accounts.of(one).pledges for one in ledger.state.accounts)


def test_an_open_job_never_leaves() -> None:
    ledger = ledger_that_forgets()
    job = ledger.start().identifier
    opened_ms = ledger.state.ledger_time_ms
    while not ledger.state.jobs[job].terminal:
        assert job in ledger.state.open_jobs
        ledger.commit()
    assert ended_ms(ledger, job) > opened_ms + KEPT_MS


def test_a_job_without_its_own_key_is_refused() -> None:
    record = HandLedger().start()
    register = Register()
    with pytest.raises(Rejected) as refusal:
        register.load(JobId(bytes(32)), record)
    assert refusal.value.reason is Reason.MALFORMED
    register.load(record.identifier, record)
    assert dict(register.open_jobs) == {record.identifier: record}
    assert register.take_changes() == []
