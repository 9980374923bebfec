"""Faults on schedule, with wires that only remember what they were told."""

import os
import subprocess
import threading
from functools import partial

import trio

from p2pnode.lab import running
from p2pnode.lab.processes import Life, identify
from p2pnode.lab.real.shape import rules_of
from p2pnode.lab.real.timeline import Timeline, bite_of_links
from p2pnode.lab.real.watch import start_clock
from p2pnode.lab.real.wires import WireCounts
from p2pnode.lab.testnet import load, save, with_process
from protocol.simulator.scenario import Clog, Crash, LossBurst, Partition, Pause
from protocol.units import MILLISECOND
from tests.p2pnode.lab import builders as networks
from tests.p2pnode.lab.real.builders import scenario


class FakeWires:
    """Count one more cut and lost packet with each look."""

    def __init__(self) -> None:
        self.told = []
        self.looks = 0

    def apply(self, rules):
        self.told.append(dict(rules))

    def counts(self):
        self.looks += 1
        return {node: WireCounts(cut=self.looks, lost=2 * self.looks) for node in range(4)}

    def close(self):
        """Nothing to take away."""


def played(folder, *faults, process=None):
    base, wires = scenario(faults=faults), FakeWires()
    testnet = with_process(networks.network(folder), 1, process)
    save(testnet)
    timeline = Timeline(base, testnet, wires, start_clock(0))
    trio.run(timeline.run)
    return timeline, wires


def after(begin_ms, end_ms):
    """Times after the network was ready, which is at one second."""
    return (1_000 + begin_ms) * MILLISECOND, (1_000 + end_ms) * MILLISECOND


def test_overlapping_faults_add_up_and_are_undone_one_by_one(tmp_path):
    split = Partition(*after(20, 120), ((0, 1, 2), (3,)))
    burst = LossBurst(*after(60, 180), 100_000)
    timeline, wires = played(tmp_path, split, burst)
    base = timeline.scenario
    assert wires.told == [
        rules_of(base, active) for active in ([split], [split, burst], [burst], [])
    ]
    assert [note.kind for note in timeline.notes] == ["Partition", "LossBurst"]
    for note in timeline.notes:
        assert note.begun_ns >= note.planned[0]
        assert note.ended_ns >= note.planned[1]
        assert note.count > 0
        assert note.trouble == ""


def test_a_node_that_does_not_run_cannot_be_paused_and_that_is_no_bite(tmp_path):
    timeline, wires = played(tmp_path, Pause(*after(10, 30), 1))
    (note,) = timeline.notes
    assert (note.count, note.begun_ns, note.trouble) == (0, None, "node 1 does not run")
    assert wires.told == []


def test_a_crash_kills_and_the_restart_comes_from_the_thread_that_outlives_the_run(
    tmp_path, monkeypatch
):
    # The kernel would end a node together with a short-lived thread that had started it.
    restarted = []
    monkeypatch.setattr(
        running,
        "restart",
        lambda folder, node: (
            save(with_process(load(folder), node, identify(os.getpid()))),
            restarted.append((node, threading.current_thread())),
        ),
    )
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        reap = threading.Thread(target=partial(sleeper.wait, 30))
        reap.start()
        process = identify(sleeper.pid)
        timeline, _ = played(tmp_path, Crash(*after(10, 60), 1), process=process)
        reap.join()
    (note,) = timeline.notes
    assert (note.count, note.trouble) == (1, "")
    assert note.processes == (str(process), str(identify(os.getpid())))
    assert load(tmp_path).member(1).life is Life.RUNNING
    assert restarted == [(1, threading.main_thread())]


def test_a_cut_bites_as_much_as_its_quietest_side_tried_to_cross_it():
    split = Partition(0, 1, ((0, 1), (2,)))
    tried = {("cut", 0): 3, ("cut", 2): 5, ("cut", 3): 9}
    assert bite_of_links(split, tried) == (3, ())
    assert bite_of_links(split, {("cut", 0): 3}) == (0, (2,))
    assert bite_of_links(Clog(0, 1, ((2, 0), (2, 1))), tried) == (5, ())
    burst = {("lost", 0): 1, ("lost", 1): 2, ("cut", 0): 9}
    assert bite_of_links(LossBurst(0, 1, 5), burst) == (3, ())
