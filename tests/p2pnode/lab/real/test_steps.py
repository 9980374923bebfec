import json

from p2pnode.lab.real.steps import gather_steps, read_steps, time_of, told_again
from p2pnode.lab.real.watch import Clock
from p2pnode.lab.step_log import STEPS_NAME
from protocol import effects as fx
from protocol import events as ev
from protocol.simulator.scenario import START_NS
from protocol.units import Digest, Round
from tests.p2pnode.lab import builders as networks

DIGEST = Digest(b"d" * 32)


def test_the_lines_of_all_nodes_are_on_the_clock_of_the_scenario_and_in_its_order(tmp_path):
    testnet = networks.network(tmp_path, nodes=2)
    lines = {0: [(500, "first"), (900, "third")], 1: [(700, "second")]}
    for node, rows in lines.items():
        text = "".join(json.dumps({"at_ns": at, "step": name}) + "\n" for at, name in rows)
        (testnet.member(node).data_dir / STEPS_NAME).write_text(text + '{"at_ns": 12, "st')
    gather_steps(testnet, Clock(400, 0), tmp_path / "steps")
    assert read_steps(tmp_path / "steps") == [
        {"time_ns": 100, "node": 0, "step": "first"},
        {"time_ns": 300, "node": 1, "step": "second"},
        {"time_ns": 500, "node": 0, "step": "third"},
    ]


def test_a_node_that_wrote_nothing_has_an_empty_file(tmp_path):
    gather_steps(networks.network(tmp_path, nodes=1), Clock(0, 0), tmp_path / "steps")
    assert (tmp_path / "steps" / "node-0.jsonl").read_text() == ""


def test_what_came_before_the_network_was_ready_counts_when_it_was():
    assert time_of({"time_ns": -5}) == START_NS
    assert time_of({"time_ns": START_NS + 1}) == START_NS + 1


def test_a_block_is_told_again_with_its_bytes_unless_it_never_left_its_node():
    row = {"step": "block", "digest": DIGEST.hex(), "epoch": 1, "round": 2, "author": 3}
    told = fx.PersistBlock(DIGEST, 1, Round(2), 3, b"raw")
    assert list(told_again(row, {DIGEST.hex(): b"raw"})) == [told]
    assert list(told_again(row, {})) == []


def test_facts_and_counts_of_copies_are_told_again():
    fact = {"fact": "operation_seen", "ticket": 4, "identifier": DIGEST.hex()}
    assert list(told_again(fact, {})) == [fx.Report(fx.OperationSeen(4, DIGEST))]
    copies = list(told_again({"step": "received", "count": 3}, {}))
    assert [type(one) for one in copies] == [ev.BlockReceived] * 3
    assert list(told_again({"step": "gauge", "name": "x"}, {})) == []
