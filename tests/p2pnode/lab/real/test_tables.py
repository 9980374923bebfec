"""What nodes wrote about themselves, told again, against what a recorder of the same run saw."""

from dataclasses import replace

import pytest

from p2pnode.lab.real.asking import Asked
from p2pnode.lab.real.evidence import Gathered
from p2pnode.lab.real.tables import Seen, tables_from
from p2pnode.lab.real.timeline import FaultNote
from p2pnode.lab.results.reading import rows_of
from protocol.simulator.scenario import Crash, StaleDisk
from tests.p2pnode.lab.real.scribe import written
from tests.p2pnode.lab.results.builders import played


def told(name):
    left, outcome = written(name)
    collector, _, whole = played(name)
    notes = [
        FaultNote(
            type(fault).__name__,
            record.nodes,
            (record.begin_ns, record.end_ns),
            record.begin_ns,
            record.end_ns,
            record.count,
            down_ns=record.begin_ns if isinstance(fault, Crash | StaleDisk) else None,
        )
        for fault, record in zip(left.scenario.faults, outcome.faults, strict=True)
    ]
    asked = [
        Asked(one.asked_ns, one.asked_ns, node, one.kind, one.operation.hex())
        for (node, _), one in collector.requests.items()
        if one.operation is not None
    ]
    steps = [dict(row) for row in left.steps]
    gathered = Gathered(left.setup, steps, left.blocks, left.waiting, {})
    seen = Seen(left.scenario, gathered, asked, notes, outcome.links, outcome.counts.ended_ns)
    return seen, whole


@pytest.mark.parametrize("name", ["split-3-2", "crashes"])
def test_acceptance_finality_and_runs_are_those_that_a_recorder_saw(name):
    seen, whole = told(name)
    tables = tables_from(seen)
    assert any(nodes for nodes in whole["blocks"]["accepted_nodes"])
    assert tables["blocks"] == whole["blocks"]
    assert tables["votes"] == whole["votes"]
    jobs = ("executors", "executions", "double_executions", "device_ms", "wasted_device_ms")
    assert any(whole["jobs"]["executions"])
    for column in jobs:
        assert tables["jobs"][column] == whole["jobs"][column]
    views = ("operation", "node", "in_block_ms", "final_ms")
    assert {tuple(row[one] for one in views) for row in rows_of(tables["operations"])} >= {
        tuple(row[one] for one in views) for row in rows_of(whole["operations"]) if row["operation"]
    }


def test_the_distance_between_the_nodes_grows_while_they_are_cut_apart():
    seen, whole = told("split-3-2")
    tables = tables_from(seen)
    apart = dict(zip(tables["series"]["time_ms"], tables["series"]["divergence"], strict=True))
    same = dict(zip(whole["series"]["time_ms"], whole["series"]["divergence"], strict=True))
    assert max(apart.values()) > 0
    assert {time: apart[time] for time in same if time in apart} == {
        time: same[time] for time in same if time in apart
    }
    assert len(set(apart) & set(same)) > 100


def test_a_block_that_no_store_holds_was_never_let_out_and_is_left_out():
    seen, whole = told("split-3-2")
    last = [row["block"] for row in rows_of(whole["blocks"])][-1]
    blocks = {digest: raw for digest, raw in seen.evidence.blocks.items() if digest != last}
    tables = tables_from(replace(seen, evidence=replace(seen.evidence, blocks=blocks)))
    held = [row["block"] for row in rows_of(tables["blocks"]) if row["size_bytes"] is not None]
    assert last not in held
    assert len(held) == len(whole["blocks"]["block"]) - 1


def test_losses_of_real_links_are_unknown_and_not_zero():
    seen, _ = told("split-3-2")
    links = tables_from(seen)["links"]
    assert set(links["lost"]) == set(links["duplicated"]) == {None}
    assert sum(links["cut"]) > 0
