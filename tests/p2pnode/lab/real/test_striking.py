"""Faults of nodes, on a process that is no node: their files and signals are real."""

import subprocess
import time
from contextlib import contextmanager

import pytest
import trio

from p2pnode.lab.fault_file import FAULTS_NAME, NodeFaults, read_faults
from p2pnode.lab.processes import Life, identify
from p2pnode.lab.real.striking import begin_on_node, change_faults, end_on_node
from p2pnode.lab.testnet import LabError, load, save, with_process
from p2pnode.storage import OwnSlot, open_journal, open_readonly
from protocol.ledger.block import stored_digest
from protocol.simulator.scenario import ClockJump, Join, Pause, StaleDisk, StoreFailure
from tests.p2pnode.lab import builders

ACCOUNT = NETWORK = bytes(32)


@contextmanager
def lab(folder):
    """A network whose node 1 has a process and a data folder."""
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        save(with_process(builders.network(folder), 1, identify(sleeper.pid)))
        member = load(folder).member(1)
        member.data_dir.mkdir(parents=True, exist_ok=True)
        member.log.write_text("started\n")
        try:
            yield member
        finally:
            sleeper.kill()


def until(member, life):
    """The kernel stops a process a moment after it was told to."""
    for _ in range(500):
        if member.life is life:
            return
        time.sleep(0.01)
    raise AssertionError(f"{member.life} and not {life}")


def sign(folder, *rounds):
    async def write():
        async with open_journal(folder, NETWORK, ACCOUNT, hash_block=stored_digest) as journal:
            await journal.append([OwnSlot(0, one, bytes(32)) for one in rounds])

    trio.run(write)


def test_a_pause_bites_when_the_process_was_still_stopped_at_its_end(tmp_path):
    fault = Pause(0, 1, 1)
    with lab(tmp_path) as member:
        strike = begin_on_node(fault, tmp_path)
        until(member, Life.PAUSED)
        assert end_on_node(fault, strike, tmp_path, 0) == (1, "")
        until(member, Life.RUNNING)
        assert end_on_node(fault, strike, tmp_path, 0) == (0, "")


def test_a_clock_goes_back_to_its_usual_error_and_other_faults_stay(tmp_path):
    fault = ClockJump(0, 1, 1, 9)
    with lab(tmp_path) as member:
        path = member.data_dir / FAULTS_NAME
        change_faults(member, store_fails=True)
        strike = begin_on_node(fault, tmp_path)
        assert read_faults(path) == NodeFaults(9, store_fails=True)
        assert end_on_node(fault, strike, tmp_path, -3) == (0, "")
        assert read_faults(path) == NodeFaults(-3, store_fails=True)


def test_a_store_failure_counts_what_the_node_itself_said_of_it_meanwhile(tmp_path):
    fault = StoreFailure(0, 1, 1)
    with lab(tmp_path) as member:
        member.log.write_text('{"event": "store_failed"}\n')
        strike = begin_on_node(fault, tmp_path)
        assert read_faults(member.data_dir / FAULTS_NAME).store_fails
        assert end_on_node(fault, strike, tmp_path, 0) == (0, "")
        with member.log.open("a") as log:
            log.write('{"event": "store_failed"}\n')
        assert end_on_node(fault, strike, tmp_path, 0) == (1, "")
        assert not read_faults(member.data_dir / FAULTS_NAME).store_fails


def test_an_old_disk_forgets_the_rounds_signed_since_and_needs_a_new_process(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(
        "p2pnode.lab.running.restart",
        lambda folder, node: (
            started.append(node),
            save(with_process(load(folder), node, started_process)),
        ),
    )
    fault = StaleDisk(0, 1, 1)
    with lab(tmp_path) as member, subprocess.Popen(["sleep", "60"]) as other:
        started_process = identify(other.pid)
        sign(member.data_dir, 1, 2)
        strike = begin_on_node(fault, tmp_path)
        sign(member.data_dir, 3, 4, 5)
        assert end_on_node(fault, strike, tmp_path, 0) == (3, str(started_process))
        with open_readonly(member.data_dir, stored_digest) as journal:
            assert [slot.round for slot in journal.own_slots()] == [1, 2]
        assert started == [1]
        other.kill()


def test_a_node_joins_when_it_had_no_process_before(tmp_path, monkeypatch):
    with lab(tmp_path) as member:
        assert not begin_on_node(Join(0, 1, 1), tmp_path).is_down, "it runs already"
        save(with_process(load(tmp_path), 1, None))
        strike = begin_on_node(Join(0, 1, 1), tmp_path)
        monkeypatch.setattr(
            "p2pnode.lab.running.restart",
            lambda folder, node: save(with_process(load(folder), node, member.process)),
        )
        assert end_on_node(Join(0, 1, 1), strike, tmp_path, 0) == (1, str(member.process))


def test_a_disk_that_is_not_there_cannot_become_old(tmp_path):
    with lab(tmp_path), pytest.raises(LabError, match="the disk of node 1 has no copy"):
        begin_on_node(StaleDisk(0, 1, 1), tmp_path)
