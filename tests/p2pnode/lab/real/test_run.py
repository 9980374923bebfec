"""A scenario on real processes: a node is cut off and crashes meanwhile; all agree at the end."""

import importlib.util
import json
import os
from dataclasses import replace

import pytest

from p2pnode.lab.links import Links
from p2pnode.lab.processes import Life
from p2pnode.lab.real.choice import choose
from p2pnode.lab.real.evidence import gather
from p2pnode.lab.real.promises import Left, judge
from p2pnode.lab.real.run import play_shape
from p2pnode.lab.real.shape import shape_of
from p2pnode.lab.results import read_folder, read_tables
from p2pnode.lab.results.reading import rows_of
from p2pnode.lab.testnet import load
from protocol.simulator.checks import GAPS, Result
from protocol.simulator.run import Verdict
from protocol.simulator.scenario import (
    Behaviour,
    ClockJump,
    Crash,
    Partition,
    StaleDisk,
    StoreFailure,
    Workload,
)
from protocol.units import MILLISECOND, SECOND
from tests.p2pnode.lab.real.builders import UNIFORM, scenario
from tests.support.namespaces import needs_namespaces

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

SPLIT = Partition(1_600 * MILLISECOND, 4_600 * MILLISECOND, ((0, 2, 3), (1,)))
CRASH = Crash(3 * SECOND, 3_300 * MILLISECOND, 1)
FULL = StoreFailure(1_500 * MILLISECOND, 3 * SECOND, 2)
JUMP = ClockJump(1_500 * MILLISECOND, 4 * SECOND, 3, 2 * SECOND)
OLD = StaleDisk(1_500 * MILLISECOND, 4_500 * MILLISECOND, 1, 300 * MILLISECOND)
SCENARIO = replace(
    scenario(conditions=UNIFORM, workload=Workload(4, 0, 4 * SECOND), faults=(SPLIT, CRASH)),
    safety_ns=5 * SECOND,
    liveness_ns=60 * SECOND,
)


@pytest.mark.parametrize(
    "links", [Links.SHAPER, pytest.param(Links.NAMESPACES, marks=needs_namespaces())]
)
def test_a_cut_and_a_crash_bite_and_all_agree_afterwards(links, tmp_path):
    shape = shape_of(SCENARIO, os.cpu_count() or 1)
    out, told = tmp_path / "out", []
    played = play_shape(shape, choose(links, shape), tmp_path / "net", out, told.append)
    assert (played.verdict, played.reasons) == (Verdict.PASS, ())
    split, crash = played.faults
    assert split.count > 0, "the cut met no traffic"
    assert split.passed_bytes in (0, None)
    assert split.silent == ()
    assert crash.count == 1, "the node was not alive before"
    assert len(set(crash.processes)) == 2
    assert [one.begun_ns >= one.planned[0] for one in played.faults] == [True, True]
    apart, back = played.recoveries
    assert (apart.stuck, apart.stuck_commits) == ((1,), 0)
    assert None not in (apart.agreement_ns, apart.first_final_ns, back.agreement_ns)
    assert (played.stores["agree"], played.stores["audited"]) == (True, True)
    assert told[0]["ready"] is True
    check_folder(out, links)
    assert {member.life for member in load(tmp_path / "net").members} == {Life.GONE}


def test_a_full_disk_a_wrong_clock_and_an_old_disk_bite_and_all_agree_afterwards(tmp_path):
    faults = (FULL, JUMP, OLD)
    shape = shape_of(replace(SCENARIO, faults=faults, skews_ns=(0, 300 * MILLISECOND)), 2)
    choice = choose(Links.SHAPER, shape)
    played = play_shape(shape, choice, tmp_path / "net", tmp_path / "out", lambda _: None)
    assert (played.verdict, played.reasons) == (Verdict.PASS, ())
    full, jump, old = played.faults
    assert full.count > 0, "the node never said that its store had failed"
    assert jump.count > 0, "nothing was stamped by the wrong clock"
    assert old.count > 0, "no signed round was forgotten"
    assert len(set(old.processes)) == 2
    assert old.begun_ns < old.down_ns < old.ended_ns
    assert (played.stores["agree"], played.stores["audited"]) == (True, True)


LIAR = 1
TOLERATED = (20_000,)
"""Four wrong results at this tolerance are less likely than one in a million."""
ASKED = Workload(0, 4, SECOND, replicas=(4, 4), spares=(0, 0), tolerated_errors_ppm=TOLERATED)
JOBS = replace(
    scenario(5, workload=ASKED),
    stakes=(5_000, 1_000, 5_000, 5_000, 5_000),
    behaviours=((LIAR, Behaviour.LYING),),
    safety_ns=2 * SECOND,
    liveness_ns=60 * SECOND,
)
"""Everybody but the requester is drawn for each job, the one that lies among them. It has less of
the stake than the terms assume of liars, or wrong results would prove nothing."""


def test_jobs_that_real_workers_ran_are_judged_and_a_changed_log_breaks_promises(tmp_path):
    shape = shape_of(JOBS, os.cpu_count() or 1)
    folder = tmp_path / "net"
    choice = choose(Links.SHAPER, shape)
    played = play_shape(shape, choice, folder, tmp_path / "out", lambda _: None)
    assert (played.verdict, played.reasons) == (Verdict.PASS, ())
    assert [row.kind for row in played.asked if row.operation] == ["Offer"] * 4
    checks = {one.name: one.result for one in played.checks}
    promises = ("lottery", "result_quality", "exactly_once")
    assert {checks[name] for name in promises} == {Result.HOLDS}

    now = gather(load(folder), shape.scenario, played.watch.clock, tmp_path / "again")
    left = Left(shape.scenario, now.setup, now.steps, now.blocks, now.waiting)
    assert broken(left) == set()
    told = outputs(left.steps)
    assert all(lies.isdisjoint(honest) for lies, honest in told.values())
    assert any(lies and honest for lies, honest in told.values()), "nobody lied to anybody"

    # The same log, with other ends of honest runs, and with other rounds of leaders.
    other = [
        row | {"output": "aa" * 32} if ended(row) and row["node"] != LIAR else row
        for row in left.steps
    ]
    assert broken(replace(left, steps=other)) == {"result_quality"}
    moved = [
        row | {"leader_round": row["leader_round"] + 40} if "leader_round" in row else row
        for row in left.steps
    ]
    assert "lottery" in broken(replace(left, steps=moved))


def ended(row):
    return row.get("step") == "execution_ended"


def outputs(steps):
    """By job, what the liar and what honest nodes said that their runs came to."""
    found = {row["job"]: (set(), set()) for row in steps if ended(row)}
    for row in filter(ended, steps):
        found[row["job"]][row["node"] != LIAR].add(row["output"])
    return found


def broken(left):
    return {one.name for one in judge(left) if one.result is Result.BROKEN}


def check_folder(out, links):
    made = importlib.util.find_spec("p2pnode.lab.results") and importlib.util.find_spec("polars")
    assert (out / "operations.csv").is_file() is (made is not None)
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["source"], manifest["outcome"]) == ("processes", "pass")
    results = {one["name"]: one["result"] for one in manifest["checks"]}
    assert {name for name, result in results.items() if result != "holds"} == {
        "accountability",  # nobody was dishonest
        "exactly_once",  # no job was asked for
        "lottery",
        "promptness",  # no bound is promised where nodes fail
        "result_quality",
    }
    assert set(results) == set(GAPS)
    check_tables(out)
    assert manifest["violations"] == []
    assert manifest["processes"]["links"] == links.value
    assert manifest["processes"]["round_ms"] >= 250
    assert len(manifest["scenario"]["faults"]) == 2
    faults = [json.loads(line) for line in (out / "faults.jsonl").read_text().splitlines()]
    assert [row["fault"]["kind"] for row in faults] == ["Partition", "Crash"]
    requests = [json.loads(line) for line in (out / "requests.jsonl").read_text().splitlines()]
    assert [row["kind"] for row in requests] == ["Transfer"] * 4
    for node in range(4):
        facts = (out / "nodes" / f"node-{node}.jsonl").read_text().splitlines()
        kinds = {json.loads(line)["fact"] for line in facts}
        assert {"stream_opened", "commit_applied", "block_proposed"} <= kinds
        assert (out / "ledgers" / f"node-{node}.ledger").is_file()
        steps = (out / "steps" / f"node-{node}.jsonl").read_text().splitlines()
        assert {"opened", "block", "gauge"} <= {json.loads(line).get("step") for line in steps}


def check_tables(out):
    """What only the nodes themselves can tell is in the tables, as of a simulated run."""
    reading = read_tables(read_folder(out).tables)
    assert reading.saw_acceptance
    blocks = list(rows_of(reading.tables["blocks"]))
    assert {row["accepted_nodes"] for row in blocks} >= {4}
    window = reading.window
    series = [row for row in rows_of(reading.tables["series"]) if row["node"] == 0]
    during = [row for row in series if window.begin_ms < row["time_ms"] < window.end_ms]
    assert max(row["divergence"] for row in during) > 0
    assert series[-1]["divergence"] < max(row["divergence"] for row in during)
    links = {(row["source"], row["target"]): row for row in rows_of(reading.tables["links"])}
    assert {pair for pair, row in links.items() if row["cut"]} >= {(0, 1)}
    assert not any(row["cut"] for pair, row in links.items() if 1 not in pair)
    assert all(row["messages"] > 0 for row in links.values())
