from dataclasses import replace

from protocol import effects as fx
from protocol.errors import Reason
from protocol.facts import OperationApplied, OperationFailed, Slashed
from protocol.job.record import Fault
from protocol.simulator.catalogue import calm, working_badly
from protocol.simulator.log import Log, lying_share_bp, outvotes
from protocol.simulator.quality import lies_beyond_bound
from protocol.simulator.scenario import Behaviour, Scenario
from protocol.units import AccountId, CommitIndex, Credits, Digest, JobId, Round

JOB = JobId(b"j" * 32)
OPERATION = Digest(b"o" * 32)
ACCOUNTS = tuple(AccountId(bytes([number]) * 32) for number in range(5))
LIARS = ((3, Behaviour.LYING), (4, Behaviour.LYING))


def log_of(scenario: Scenario) -> Log:
    log = Log(scenario)
    log.know(ACCOUNTS)
    return log


def tell(log: Log, node: int, *facts: fx.Fact) -> list[tuple[str, int]]:
    for fact in facts:
        log.effect(7, node, fx.Report(fact))
    assert all(one.time_ns == 7 for one in log.found)
    return [(one.invariant, one.node) for one in log.found]


def slashed(account: int, job: JobId | None) -> Slashed:
    reason = Fault.EQUIVOCATION if job is None else Fault.WRONG_RESULT
    return Slashed(ACCOUNTS[account], Credits(5), reason, job)


def committed(index: int, state: bytes = b"s" * 32) -> fx.CommitApplied:
    digest = Digest(b"d" * 32)
    return fx.CommitApplied(CommitIndex(index), digest, Digest(state), Round(index + 1), 0, 0)


def test_reports_alone_show_another_state_as_the_store_does() -> None:
    log = log_of(calm(1))
    assert tell(log, 0, committed(1)) == []
    assert tell(log, 1, committed(1, b"t" * 32), committed(1, b"t" * 32)) == [("convergence", 1)]
    assert log.leader_rounds == {1: 2}


def test_an_operation_counts_as_done_once_it_is_final_anywhere() -> None:
    log = log_of(calm(1))
    tell(log, 0, fx.OperationSeen(1, OPERATION))
    assert log.unsettled == {OPERATION: 0}
    tell(log, 1, OperationFailed(OPERATION, ACCOUNTS[0], Reason.NONCE_GAP, ""))
    assert log.unsettled == {OPERATION: 0}
    tell(log, 1, OperationApplied(OPERATION, ACCOUNTS[0]))
    assert (log.unsettled, log.asked) == ({}, 1)


def test_one_job_slashes_an_account_once() -> None:
    log = log_of(replace(calm(1), behaviours=LIARS))
    assert tell(log, 0, slashed(3, JOB), slashed(4, JOB)) == []
    assert tell(log, 1, slashed(3, JOB)) == []
    assert tell(log, 0, slashed(3, JOB)) == [("accountability", 0)]
    assert log.convictions == 3


def test_what_liars_with_a_third_of_the_stake_do_to_workers_is_counted() -> None:
    few, many = calm(1), replace(calm(1), behaviours=LIARS)
    assert (outvotes(few), outvotes(many)) == (False, True)
    log = log_of(many)
    assert tell(log, 1, slashed(0, JOB)) == []
    assert log.outvoted == 1
    assert tell(log, 1, slashed(0, None)) == [("honest_never_slashed", 1)]
    assert tell(log_of(few), 1, slashed(0, JOB)) == [("honest_never_slashed", 1)]


def test_the_share_of_liars_counts_all_stake_that_works() -> None:
    calm_one = calm(1, members=4)
    assert lying_share_bp(calm_one) == 0
    one = replace(calm_one, behaviours=((0, Behaviour.LYING), (1, Behaviour.SILENT)))
    assert lying_share_bp(one) == 2_500
    assert lying_share_bp(replace(one, observers=1)) == 2_000
    assert lies_beyond_bound(one)


def test_a_liar_outside_the_committee_outvotes_with_what_its_owner_stakes() -> None:
    staking = working_badly(2, Behaviour.LAZY)
    assert (lying_share_bp(staking), outvotes(staking)) == (3_334, True)
    workload = replace(staking.workload, observer_stakes=False)
    idle = replace(staking, workload=workload)
    assert (lying_share_bp(idle), outvotes(idle)) == (2_000, False)
