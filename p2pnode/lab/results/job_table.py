"""The table of jobs: phases, executors, payments, and what devices did for nothing.

A job's record is the ledger's own, as the observer computed it. Where nobody had the blocks, as in
a real network without an export, only the phases that nodes reported are known.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from p2pnode.lab.results.collector import Collector
from p2pnode.lab.results.notes import ExecutionNote
from p2pnode.lab.results.schema import Cell
from p2pnode.lab.results.times import known_ms, to_ms
from protocol.job.record import Job, Phase
from protocol.units import AccountId, JobId

TimeOf = Callable[[int, int], int | None]
"""When a node knew of a commit."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the devices of honest nodes did for one job.

    Attributes:
        executions: Runs started; one that could not be started is none.
        doubles: Runs beyond the first of each account that the ledger drew.
        device_ns: Their time.
        wasted_ns: The part that no accepted result came of.
    """

    executions: int
    doubles: int
    device_ns: int
    wasted_ns: int


def work_of(runs: Sequence[ExecutionNote], drawn: Sequence[int], agreeing: Sequence[int]) -> Work:
    """Adds up the runs of one job.

    Args:
        runs: Every run that an honest node asked its device for, in the order of time.
        drawn: Nodes that the ledger drew; a run of any other node is a double one.
        agreeing: Nodes whose result was accepted; of each, the first finished run was useful.
    """
    runs = [run for run in runs if not run.is_impossible]
    useful: dict[int, int] = {}
    for run in runs:
        if run.node in agreeing and run.has_finished:
            useful.setdefault(run.node, run.device_ns or 0)
    first = {run.node for run in runs if run.node in drawn}
    device_ns = sum(run.device_ns or 0 for run in runs)
    return Work(len(runs), len(runs) - len(first), device_ns, device_ns - sum(useful.values()))


def job_rows(collector: Collector, time_of: TimeOf) -> Iterator[Sequence[Cell]]:
    """Makes a row of each job, in the order of opening."""
    records = {job.identifier: job for job in collector.observer.jobs}
    names: dict[JobId, None] = dict.fromkeys(records)
    names |= dict.fromkeys(job for job, _ in collector.phases)
    runs: dict[JobId, list[ExecutionNote]] = {}
    for run in collector.executions:
        runs.setdefault(run.job, []).append(run)
    for name in names:
        times = _phase_times(collector, name, records.get(name), time_of)
        record = records.get(name)
        if record is None:
            yield _bare_row(name, times)
        else:
            yield _row(collector, record, times, runs.get(name, []))


Times = dict[Phase, dict[int, int]]
"""By phase and node, when the node knew that the job had entered it."""


def _phase_times(collector: Collector, name: JobId, record: Job | None, time_of: TimeOf) -> Times:
    times: Times = {}
    for phase in Phase:
        reported = collector.phases.get((name, phase), {})
        times[phase] = {n: t for n, t in reported.items() if n in collector.setup.honest}
    index_of = {slot: place for place, slot in enumerate(collector.observer.leader_rounds, 1)}
    for step in record.timeline if record is not None else ():
        index = index_of[step.leader_round]
        for node in collector.setup.honest:
            time = time_of(node, index)
            if time is not None:
                times[step.phase].setdefault(node, time)
    return times


def _times(times: Times) -> tuple[float | None, ...]:
    """First time of each phase, and the last node's of the end."""
    ends = (Phase.SETTLED, Phase.INCONCLUSIVE, Phase.REFUNDED)
    last = max((time for phase in ends for time in times[phase].values()), default=None)
    firsts = (min(times[phase].values(), default=None) for phase in Phase)
    return (*(known_ms(first) for first in firsts), known_ms(last))


def _bare_row(name: JobId, times: Times) -> Sequence[Cell]:
    entered = [(max(known.values()), phase) for phase, known in times.items() if known]
    phase = max(entered, key=lambda one: one[0])[1].value if entered else ""
    blank = ("", "", "", "", None, "", "", None, None, None, None, None, None)
    return (name.hex(), "", None, None, *_times(times), phase, *blank)


def _row(
    collector: Collector, job: Job, times: Times, runs: Sequence[ExecutionNote]
) -> Sequence[Cell]:
    number_of = collector.observer.number_of
    drawn = [number_of(executor.account) for executor in job.executors]
    accepted = job.accepted
    agreeing = [number_of(account) for account in accepted.members] if accepted else []
    work = work_of(runs, drawn, agreeing)
    is_watched = bool(collector.executions)
    return (
        job.identifier.hex(),
        job.offer.kind,
        number_of(job.requester),
        job.offer.replicas,
        *_times(times),
        job.phase.value,
        job.ending.name.lower() if job.ending is not None else "",
        " ".join(map(str, drawn)),
        " ".join(map(str, agreeing)),
        accepted.output.hex() if accepted else "",
        job.confidence_bp,
        _amounts([(one.account, one.amount) for one in job.payouts], number_of),
        _amounts([(one.account, one.amount) for one in job.slashes], number_of),
        job.fee,
        job.refund,
        work.executions if is_watched else None,
        work.doubles if is_watched else None,
        to_ms(work.device_ns) if is_watched else None,
        to_ms(work.wasted_ns) if is_watched else None,
    )


def _amounts(paid: Sequence[tuple[AccountId, int]], number_of: Callable[[AccountId], int]) -> str:
    return " ".join(f"{number_of(account)}:{amount}" for account, amount in paid)
