"""Tables of simulated runs, and of facts as real processes report them."""

from p2pnode.facts import record_of
from p2pnode.lab.results import Collector, End, read_tables, tables_of
from p2pnode.lab.results.reading import rows_of
from p2pnode.lab.results.waiting import availability
from protocol import effects as fx
from protocol import events as ev
from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.run import play
from tests.p2pnode.lab.results.builders import played


def test_equal_runs_leave_equal_tables() -> None:
    _, _, first = played("split-3-2")
    scenario = SCENARIOS["split-3-2"](1)
    collector = Collector(scenario)
    assert tables_of(collector, play(scenario, recorders=(collector,))) == first


def test_watching_changes_nothing() -> None:
    _, watched, _ = played("split-3-2")
    assert play(SCENARIOS["split-3-2"](1)).trace == watched.trace


def test_every_slot_has_a_verdict_at_every_node_and_the_nodes_agree() -> None:
    _, outcome, tables = played("split-4-1")
    verdicts: dict[object, set[object]] = {}
    for row in rows_of(tables["votes"]):
        if row["verdict"] != "undecided":
            verdicts.setdefault(row["round"], set()).add((row["verdict"], row["block"]))
    assert all(len(found) == 1 for found in verdicts.values())
    kinds = [next(iter(found))[0] for found in verdicts.values()]  # type: ignore[index]
    assert kinds.count("committed") == outcome.counts.commits
    assert "skipped" in kinds


def test_the_blocks_of_a_commit_are_those_that_it_ordered() -> None:
    collector, _, tables = played("split-3-2")
    ordered = [row for row in rows_of(tables["blocks"]) if row["commit_index"] is not None]
    assert len(ordered) == len(collector.observer.index_of_block)
    leaders = {
        row["block"]: row["commit_index"]
        for row in rows_of(tables["votes"])
        if row["verdict"] == "committed"
    }
    found = {row["block"]: row["commit_index"] for row in ordered}
    assert all(found[block] == index for block, index in leaders.items())
    assert all(row["accepted_nodes"] == 5 and row["final_nodes"] == 5 for row in ordered)


def test_a_request_that_found_its_node_down_was_attempted_and_not_answered() -> None:
    names = ("crashes",)
    for seed in range(1, 8):
        _, outcome, tables = played(names[0], seed)
        status = [row["status"] for row in rows_of(tables["operations"]) if row["is_request"]]
        scenario = outcome.scenario
        asked = availability(read_tables(tables)).attempted
        assert asked == scenario.workload.transfers + scenario.workload.jobs
        if "unanswered" in status:
            return
    raise AssertionError("no request ever found its node down")


def test_faults_say_whom_they_part_and_whether_they_bit() -> None:
    _, _, tables = played("split-4-1")
    (row,) = rows_of(tables["faults"])
    assert row["sides"] == "0 1 2 3|4"
    assert (row["begin_ms"], row["end_ms"], row["has_bitten"]) == (3_000.0, 11_000.0, True)


def test_twins_are_a_fault_of_both_nodes_with_one_key() -> None:
    faults = played("twins")[2]["faults"]
    places = [place for place, kind in enumerate(faults["kind"]) if kind == "twins"]
    assert [faults["nodes"][place] for place in places] == ["3 5"]
    assert all(faults["has_bitten"][place] for place in places)


def test_a_dishonest_node_is_a_fault_for_the_whole_run() -> None:
    _, outcome, tables = played("lying")
    (row,) = rows_of(tables["faults"])
    assert (row["kind"], row["nodes"], row["begin_ms"]) == ("lying", "1", None)
    assert row["count"] == outcome.bites[0].count > 0


class Relay:
    """Passes on what a real network would: lines of facts, and blocks at the end."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.blocks: dict[bytes, bytes] = {}

    def event(self, time: int, node: int, event: ev.Event) -> None:
        if isinstance(event, ev.Restored):
            self.collector.started(time, node)

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if isinstance(effect, fx.Report):
            self.collector.record(time, node, record_of(effect.fact))
        elif isinstance(effect, fx.PersistBlock):
            self.blocks.setdefault(effect.digest, effect.raw)


def test_lines_of_facts_and_an_export_give_the_same_verdicts_jobs_and_finality() -> None:
    _, _, whole = played("split-3-2")
    scenario = SCENARIOS["split-3-2"](1)
    collector = Collector(scenario)
    relay = Relay(collector)
    outcome = play(scenario, recorders=(relay,))
    for raw in relay.blocks.values():
        collector.block(raw)
    tables = tables_of(collector, End(outcome.counts.ended_ns, outcome.faults, outcome.bites))
    assert tables["votes"] == whole["votes"]
    same = ("job", "phase", "executors", "agreeing", "payouts_microcredits", "settled_ms")
    assert [tables["jobs"][name] for name in same] == [whole["jobs"][name] for name in same]
    assert set(tables["jobs"]["executions"]) == {None}
    final = {
        (row["operation"], row["node"]): row["final_ms"] for row in rows_of(tables["operations"])
    }
    for row in rows_of(whole["operations"]):
        assert final[row["operation"], row["node"]] == row["final_ms"]


def test_facts_alone_tell_commits_and_phases() -> None:
    scenario = SCENARIOS["calm"](1)
    collector = Collector(scenario)
    outcome = play(scenario, recorders=(Relay(collector),))
    tables = tables_of(collector, End(outcome.counts.ended_ns))
    committed = {
        row["commit_index"] for row in rows_of(tables["votes"]) if row["verdict"] == "committed"
    }
    assert committed == set(range(1, outcome.counts.commits + 1))
    assert set(tables["jobs"]["phase"]) == {"settled"}
    assert set(tables["blocks"]["accepted_nodes"]) == {None}
