"""Notes, and the limits of memory."""

import pytest

from p2pnode.lab.results import Collector
from p2pnode.lab.results import collector as module
from p2pnode.lab.results.notes import ExecutionNote
from protocol import effects as fx
from protocol import events as ev
from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.run import play
from protocol.units import MILLISECOND, Digest, JobId
from tests.p2pnode.lab.results.builders import played


def test_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCKS_MAX", 10)
    monkeypatch.setattr(module, "OPERATIONS_MAX", 5)
    monkeypatch.setattr(module, "EXECUTIONS_MAX", 1)
    scenario = SCENARIOS["calm"](1)
    collector = Collector(scenario)
    play(scenario, recorders=(collector,))
    assert (len(collector.blocks), len(collector.operations)) == (10, 5)
    assert len(collector.executions) == 1
    assert set(collector.dropped) == {"blocks", "operations", "executions"}


def test_too_many_samples_are_thinned_over_the_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLES_MAX", 4)
    collector = Collector(SCENARIOS["calm"](1), sample_ms=1)
    for time_ms in range(1, 10):
        collector.event(time_ms * MILLISECOND, 0, ev.Tick())
    times = [sample.time_ns // MILLISECOND for sample in collector.samples]
    assert times == [2, 4, 6, 8]


def test_a_silence_is_sampled_as_well_and_what_was_before_the_first_event_is_not() -> None:
    collector = Collector(SCENARIOS["calm"](1), sample_ms=10)
    for time_ms in (1_003, 1_034):
        collector.event(time_ms * MILLISECOND, 0, ev.Tick())
    collector.close(1_035 * MILLISECOND)
    times = [sample.time_ns // MILLISECOND for sample in collector.samples]
    assert times == [1_000, 1_010, 1_020, 1_030, 1_035]


def test_a_run_that_a_crash_ends_lasts_until_the_last_sign_of_life() -> None:
    collector = Collector(SCENARIOS["calm"](1))
    job = JobId(bytes(32))
    _, outcome, _ = played("calm")
    offer = played("calm")[0].observer.jobs[0].offer
    account = collector.setup.accounts[1]
    collector.event(1, 0, ev.Restored(0, (), ()))
    collector.effect(10, 0, fx.Execute(job, offer, account))
    collector.event(25, 0, ev.Tick())
    collector.event(90, 0, ev.BlocksRestored(()))
    collector.event(90, 0, ev.Restored(0, (), ()))
    assert collector.executions == [ExecutionNote(job, 0, 10, 15, has_finished=False)]
    assert collector.lives[0].downs == [(0, 1), (25, 90)]
    assert outcome.counts.jobs == 2


def test_a_run_that_ends_takes_as_long_as_its_device_says() -> None:
    collector = Collector(SCENARIOS["calm"](1))
    job, output = JobId(bytes(32)), Digest(bytes(32))
    offer = played("calm")[0].observer.jobs[0].offer
    for node in (0, 1, 2, 3):
        collector.effect(10, node, fx.Execute(job, offer, collector.setup.accounts[4]))
    collector.event(99, 0, ev.ExecutionEnded(job, 0, output, 7, 1))
    collector.event(99, 1, ev.ExecutionImpossible(job, unavailable=True))
    collector.effect(50, 2, fx.StopExecution(job))
    collector.close(70)
    assert collector.executions == [
        ExecutionNote(job, 0, 10, 7 * MILLISECOND, has_finished=True),
        ExecutionNote(job, 1, 10, 0, is_impossible=True),
        ExecutionNote(job, 2, 10, 40),
        ExecutionNote(job, 3, 10, 60),
    ]


def test_a_block_that_comes_again_after_a_stale_disk_was_forgotten_in_between() -> None:
    collector, outcome, _ = played("old-disk")
    assert outcome.faults[0].count > 0
    lapses = [lapse for note in collector.blocks.values() for lapse in note.lapses]
    assert lapses
    assert {node for node, _, _ in lapses} == {2}
    assert all(begin < end for _, begin, end in lapses)


def test_what_a_stream_left_out_is_counted() -> None:
    collector = Collector(SCENARIOS["calm"](1))
    for missed in (2, 3):
        collector.record(1, 0, {"fact": "job_changed", "job": "00" * 32, "missed": missed})
    assert collector.dropped == {"facts": 5}
