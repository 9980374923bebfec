import json
from types import SimpleNamespace

import pytest

from p2pnode.lab.step_log import StepLog
from protocol import effects as fx
from protocol import events as ev
from protocol.errors import Misuse
from protocol.simulator.node import SPINS_MAX
from protocol.units import Digest, JobId, Round
from tests.p2pnode.fake_ports import FakeWorld, lone_core
from tests.support.builders import make_offer

DIGEST = Digest(b"d" * 32)
BLOCK = fx.PersistBlock(DIGEST, 0, Round(3), 1, b"raw bytes")
LATER = 10**12


class Script:
    """A core with a real one's sizes, and prepared answers."""

    def __init__(self, *answers):
        self.answers = list(answers)
        core = lone_core()
        self.parameters, self.ledger, self.state = core.parameters, core.ledger, core.state
        self.pool, self.genesis = core.pool, core.genesis

    def step(self, event, now):
        answer = self.answers.pop(0) if self.answers else ()
        if isinstance(answer, Exception):
            raise answer
        return answer


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def steps_of(path, *kinds):
    return [row for row in rows(path) if row.get("step") in kinds]


def test_a_block_is_noted_when_the_core_takes_it_in_and_the_copies_of_before_are_counted(tmp_path):
    path = tmp_path / "steps"
    log = StepLog(path, lambda: 77)
    step = log.watch_core(Script((), (), (BLOCK, fx.WakeAt(LATER))))
    for event in (ev.BlockReceived(b"p", b"1"), ev.BlockReceived(b"p", b"2"), ev.Tick()):
        step(event, 5)
    assert steps_of(path, "received", "block") == [
        {"at_ns": 77, "step": "received", "count": 2},
        {
            "at_ns": 77,
            "step": "block",
            "digest": DIGEST.hex(),
            "epoch": 0,
            "round": 3,
            "author": 1,
            "size_bytes": 9,
        },
    ]


def test_facts_and_runs_are_noted_when_they_are_let_out_and_passed_on(tmp_path):
    path, world = tmp_path / "steps", FakeWorld()
    around = StepLog(path, lambda: 5).watch_world(world)
    fact = fx.OperationSeen(4, DIGEST)
    around.report(fact)
    assert world.all("reported") == [fact]
    assert rows(path)[1:] == [
        {"at_ns": 5, "fact": "operation_seen", "ticket": 4, "identifier": DIGEST.hex()}
    ]


async def test_the_begin_and_the_end_of_a_run_are_noted(tmp_path):
    path, world = tmp_path / "steps", FakeWorld()
    log = StepLog(path, lambda: 5)
    around, job = log.watch_world(world), JobId(DIGEST)
    execute = fx.Execute(job, make_offer(), b"r" * 32)
    await around.perform(execute)
    await around.perform(fx.StopExecution(job))
    await around.keep((BLOCK,))
    step = log.watch_core(Script())
    step(ev.ExecutionEnded(job, 0, DIGEST, 120, 9), 5)
    step(ev.ExecutionImpossible(job, unavailable=True), 5)
    assert [row["step"] for row in rows(path) if row["step"] != "gauge"] == [
        "opened",
        "execute",
        "stop_execution",
        "execution_ended",
        "execution_impossible",
    ]
    assert world.all("performed") == [execute, fx.StopExecution(job)]
    assert world.all("kept") == [BLOCK]


def test_an_error_of_the_core_is_noted_and_goes_on_its_way(tmp_path):
    path = tmp_path / "steps"
    step = StepLog(path).watch_core(Script(Misuse("too early")))
    with pytest.raises(Misuse, match="too early"):
        step(ev.Tick(), 5)
    assert steps_of(path, "raised")[0]["detail"] == "Misuse: too early"


@pytest.mark.parametrize(("wake_at", "spins"), [(5, 1), (6, 0)])
def test_a_core_that_asks_to_be_woken_at_once_for_ever_spins(wake_at, spins, tmp_path):
    path = tmp_path / "steps"
    step = StepLog(path).watch_core(Script(*[(fx.WakeAt(wake_at),)] * SPINS_MAX))
    for _ in range(SPINS_MAX):
        step(ev.Tick(), 5)
    assert len(steps_of(path, "spin")) == spins


def test_a_size_is_noted_only_when_it_is_nearer_to_its_cap_than_before(tmp_path):
    path, now = tmp_path / "steps", [0]
    core = Script()
    step = StepLog(path, lambda: now[0]).watch_core(core)
    for _ in range(3):
        step(ev.Tick(), 0)
        now[0] += 2 * 10**9
    names = [row["name"] for row in steps_of(path, "gauge")]
    assert len(names) == len(set(names))
    assert "pooled operations" in names


def test_a_process_that_starts_again_goes_on_behind_what_is_there(tmp_path):
    path = tmp_path / "steps"
    StepLog(path, lambda: 1)
    StepLog(path, lambda: 2)
    assert rows(path) == [{"at_ns": 1, "step": "opened"}, {"at_ns": 2, "step": "opened"}]


def test_what_the_node_writes_to_its_peers_is_noted_by_account(tmp_path):
    path = tmp_path / "steps"
    log = StepLog(path, lambda: 5)
    log.watch_links(SimpleNamespace(written={b"\xab": (2, 30)}))
    log.watch_core(Script())(ev.Tick(), 0)
    assert steps_of(path, "links") == [{"at_ns": 5, "step": "links", "peers": {"ab": [2, 30]}}]


def test_where_a_core_begins_and_what_it_holds_are_noted_when_it_goes_on(tmp_path):
    path = tmp_path / "steps"
    core = lone_core()
    step = StepLog(path, lambda: 5).watch_core(core)
    step(ev.BlocksRestored(()), 5)
    assert steps_of(path, "restored") == []
    step(ev.Restored(0, (), ()), 6)
    digest = core.state.digest.hex()
    row = {"at_ns": 5, "step": "restored", "snapshot_index": 0, "snapshot_state_digest": digest}
    assert steps_of(path, "restored") == [row | {"index": 0, "state_digest": digest}]
