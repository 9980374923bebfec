"""What devices did for nothing."""

from p2pnode.lab.results.job_table import Work, work_of
from p2pnode.lab.results.notes import ExecutionNote
from p2pnode.lab.results.reading import rows_of
from protocol.units import JobId
from tests.p2pnode.lab.results.builders import played

JOB = JobId(bytes(32))


def run(node: int, device_ns: int, has_finished: bool = True) -> ExecutionNote:
    return ExecutionNote(JOB, node, 0, device_ns, has_finished)


def test_only_the_first_finished_run_of_who_agreed_was_useful() -> None:
    runs = [run(1, 10), run(2, 20), run(1, 40), run(3, 80)]
    assert work_of(runs, drawn=[1, 2], agreeing=[1]) == Work(4, 2, 150, 140)


def test_a_run_that_a_crash_ended_was_for_nothing_and_the_second_one_double() -> None:
    runs = [run(1, 5, has_finished=False), run(1, 10)]
    assert work_of(runs, drawn=[1], agreeing=[1]) == Work(2, 1, 15, 5)


def test_a_job_without_an_accepted_result_wasted_everything() -> None:
    assert work_of([run(1, 10)], drawn=[1], agreeing=[]) == Work(1, 0, 10, 10)
    assert work_of([], drawn=[], agreeing=[]) == Work(0, 0, 0, 0)


def test_the_rows_are_the_ledgers_own_records() -> None:
    collector, _, tables = played("lying")
    rows = list(rows_of(tables["jobs"]))
    assert [row["job"] for row in rows] == [
        job.identifier.hex() for job in (collector.observer.jobs)
    ]
    for row, record in zip(rows, collector.observer.jobs, strict=True):
        paid = sum(int(word.split(":")[1]) for word in str(row["payouts_microcredits"]).split())
        fee, refund = record.fee, record.refund
        assert paid + fee + refund == record.offer.budget
        assert (row["fee_microcredits"], row["refund_microcredits"]) == (fee, refund)
        assert row["phase"] == record.phase.value


def test_a_liar_is_no_part_of_those_who_agree() -> None:
    _, _, tables = played("lying")
    rows = [row for row in rows_of(tables["jobs"]) if "1" in str(row["executors"]).split()]
    assert rows, "the liar was drawn"
    settled = [row for row in rows if row["phase"] == "settled" and row["agreeing"] != "1"]
    assert settled
    assert all("1" not in str(row["agreeing"]).split() for row in settled)
    for row in settled:
        others = len(str(row["executors"]).split()) - 1
        assert int(row["executions"] or 0) <= others, "the liar's own run does not count"


def test_a_run_that_could_not_be_started_is_none_and_the_next_try_not_double() -> None:
    failed = ExecutionNote(JOB, 1, 0, 0, is_impossible=True)
    assert work_of([failed, run(1, 10)], drawn=[1], agreeing=[1]) == Work(1, 0, 10, 0)
    collector, _, tables = played("silent", 16)
    assert any(note.is_impossible for note in collector.executions)
    assert set(tables["jobs"]["double_executions"]) == {0}
