"""Who is called, in which order, and how many more could still bring a result."""

from dataclasses import replace

from protocol.balances import Pledge
from protocol.errors import Reason
from protocol.job.calling import active, call, call_spares, spares_wanted
from protocol.job.crosscheck import compare
from protocol.job.record import Circumstances, Duty, Job, Phase, Status
from protocol.job.transcript import PassedOver
from protocol.messages import StakeWithdrawal
from protocol.parameters import minimal
from tests.support.builders import STAKE, HandLedger, account_id, ledger_of_outsiders, make_offer

TERMS = minimal()


def circumstances(ledger: HandLedger) -> Circumstances:
    state = ledger.state
    return Circumstances(
        TERMS,
        state._position,
        state.accounts.of,
        state.reputation_of,
        state.is_up,
        lambda _, __: (),
        lambda _, __: (),
    )


def started(replicas_max: int = 4) -> tuple[HandLedger, Job]:
    ledger = ledger_of_outsiders()
    return ledger, ledger.start(make_offer(replicas_max=replicas_max))


def test_whoever_is_called_pledges_and_gets_a_deadline_of_its_own() -> None:
    ledger, job = started()
    change = call(job, job.spares[0], Duty.AUDITOR, circumstances(ledger))
    called = change.job.executors[-1]
    assert (called.account, called.duty, called.status) == (
        job.spares[0],
        Duty.AUDITOR,
        Status.RUNNING,
    )
    allowed_ms = job.offer.deadline_ms + TERMS.commitment_grace_ms
    assert called.deadline_ms == ledger.state.ledger_time_ms + allowed_ms
    assert change.movements == (Pledge(called.account, job.identifier, called.exposure),)


def test_spares_are_called_in_the_drawn_order_until_enough_run() -> None:
    ledger, job = started()
    change = call_spares(replace(job, wanted=5), circumstances(ledger))
    assert [each.account for each in change.job.executors[3:]] == list(job.spares[:2])
    assert change.job.spares == job.spares[2:]
    assert active(change.job) == 5


def test_a_spare_that_cannot_be_called_is_passed_over_with_the_reason() -> None:
    ledger, job = started()
    ledger.do(ledger.numbers[job.spares[0]], StakeWithdrawal(STAKE))
    change = call_spares(replace(job, wanted=4), circumstances(ledger))
    assert change.job.executors[3].account == job.spares[1]
    assert change.job.passed_over == (PassedOver(job.spares[0], Reason.INSUFFICIENT_STAKE),)


def test_a_spare_of_another_class_is_neither_called_nor_counted_on() -> None:
    ledger = HandLedger()
    identifier = ledger.open(0, make_offer(result_class="class-exact", replicas=3, replicas_max=6))
    ledger.bid(identifier, 1, 2, 3, 4, device="cpu/a")
    ledger.bid(identifier, 5, 6, device="cpu/b")
    job = ledger.until(identifier, Phase.EXECUTING)
    others = (account_id(5), account_id(6))
    listed = replace(job, spares=(others[0], *job.spares, others[1]), wanted=5, passed_over=())
    change = call_spares(listed, circumstances(ledger))
    assert [each.account for each in change.job.executors[3:]] == list(job.spares)
    assert change.job.passed_over == tuple(PassedOver(a, Reason.OTHER_CLASS) for a in others)
    nothing = compare(replace(job, executors=()), TERMS)
    only_others = replace(job, spares=others)
    assert spares_wanted(only_others, nothing, circumstances(ledger)) is None


def test_auditors_and_the_absent_do_not_count_as_running() -> None:
    ledger, job = started()
    audited = call(job, job.spares[0], Duty.AUDITOR, circumstances(ledger)).job
    missing = audited.with_executor(replace(audited.executors[0], status=Status.UNOPENED))
    assert (active(job), active(audited), active(missing)) == (3, 3, 2)


def test_no_more_spares_are_wanted_than_the_offer_still_allows() -> None:
    wanted = []
    for replicas_max in (3, 4, 6):
        ledger, job = started(replicas_max)
        nothing = compare(replace(job, executors=()), TERMS)
        wanted.append(spares_wanted(job, nothing, circumstances(ledger)))
    assert wanted == [None, None, 2], "two newcomers could reach the tolerated error"
