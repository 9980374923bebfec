from dataclasses import dataclass, replace

import pytest

from p2pnode.lab.real.shape import Unplayable, needs_a_switch, rules_of, shape_of, skewed_nodes
from p2pnode.network import LinkRule
from protocol.parameters import minimal, with_pace
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.queue import Capacity
from protocol.simulator.scenario import (
    Behaviour,
    ClockJump,
    Clog,
    Crash,
    Cut,
    DuplicateBurst,
    Join,
    LossBurst,
    Partition,
    SlowLink,
    StaleDisk,
    StoreFailure,
    TornWrite,
    Workload,
)
from protocol.units import MILLISECOND, SECOND
from tests.p2pnode.lab.real.builders import INSTANT, UNIFORM, scenario


@dataclass(frozen=True, slots=True)
class Meteor:
    """A fault that nobody here has heard of."""

    start_ns: int = SECOND
    end_ns: int = 2 * SECOND


def test_the_pace_is_the_machines_unless_the_scenario_is_slower():
    fast, slow = with_pace(minimal(), 100, 800), with_pace(minimal(), 2_000, 9_000)
    assert shape_of(scenario(parameters=fast), 2).scenario.parameters.minimum_round_ms == 250
    assert shape_of(scenario(parameters=fast), 2).asked_round_ms == 100
    assert shape_of(scenario(parameters=slow), 2).scenario.parameters == slow
    large = shape_of(scenario(members=20, parameters=fast), 2)
    assert large.scenario.parameters.minimum_round_ms == 1_600
    assert large.notes == ("a round lasts 1600 ms instead of 100 ms, for this machine's sake",)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"twins": (1,)}, "twins"),
        ({"conditions": replace(INSTANT, duplicate_ppm=1)}, "duplicated messages"),
        ({"behaviours": ((1, Behaviour.SILENT),)}, "a node that is silent"),
        ({"faults": (TornWrite(SECOND, 2 * SECOND, 1),)}, "the fault TornWrite"),
        ({"faults": (DuplicateBurst(SECOND, 2 * SECOND, 5),)}, "the fault DuplicateBurst"),
        ({"faults": (Meteor(),)}, "the fault Meteor"),
        ({"members": 101}, "101 nodes"),
    ],
)
def test_what_processes_cannot_do_is_refused_by_name(change, reason):
    with pytest.raises(Unplayable, match=f"not possible on real processes: {reason}"):
        shape_of(scenario(**change), 2)


def test_faults_of_clocks_and_disks_are_played_and_their_difference_is_told():
    faults = (ClockJump(1, 2, 1, -5), StoreFailure(1, 2, 2), StaleDisk(1, 2, 3))
    notes = shape_of(scenario(faults=faults), 64).notes
    assert [one for one in notes if "database" in one or "journal" in one or "arrival" in one] == [
        "a store that fails refuses above the database, which is not asked",
        "an old disk is an old journal; the other files of the node stay as they are",
        "what a node says whose clock may be off is timed by its arrival",
    ]
    assert skewed_nodes(scenario(faults=faults, skews_ns=(0, 0, 7))) == {1, 2}


def test_every_reason_is_named_at_once():
    wrong = scenario(twins=(1,), faults=(Meteor(), TornWrite(1, 2, 0)))
    with pytest.raises(Unplayable) as refusal:
        shape_of(wrong, 2)
    assert all(word in str(refusal.value) for word in ("twins", "Meteor", "TornWrite"))


def test_a_field_that_is_set_and_unknown_here_is_refused_and_not_left_out():
    @dataclass(frozen=True, slots=True)
    class Wider:
        transfers: int = 0
        jobs: int = 0
        span_ns: int = SECOND
        spam: int = 0

    assert shape_of(scenario(workload=Wider()), 2)
    with pytest.raises(Unplayable, match="spam of Wider"):
        shape_of(scenario(workload=Wider(spam=3)), 2)


def test_liars_are_what_the_scenario_says():
    shape = shape_of(scenario(behaviours=((2, Behaviour.LYING), (0, Behaviour.HONEST))), 2)
    assert shape.liars == (2,)


def test_jobs_and_losses_are_said_to_differ():
    lossy = scenario(workload=Workload(0, 1, SECOND), faults=(LossBurst(1, 2, 5),), sync_ns=1)
    notes = " ".join(shape_of(lossy, 2).notes)
    assert all(word in notes for word in ("estimates pi", "sent again by TCP", "disk"))


def test_delays_become_rules_of_every_directed_pair():
    slow = Delay(Law.CONSTANT, 300 * MILLISECOND, 0)
    tail = Delay(Law.LONG_TAILED, 10 * MILLISECOND, 40 * MILLISECOND)
    conditions = Conditions(UNIFORM.delay, 10_000, 0, (((0, 1), slow), ((1, 0), tail)))
    rules = rules_of(scenario(members=3, conditions=conditions))
    assert len(rules) == 6
    assert rules[0, 2] == LinkRule(delay_ms=20, jitter_ms=40, loss=0.01)
    assert rules[0, 1] == LinkRule(delay_ms=300, loss=0.01)
    assert rules[1, 0] == LinkRule(delay_ms=10, tail_ms=30, loss=0.01)


def test_faults_add_to_the_rules_while_they_are_active():
    partition = Partition(SECOND, 2 * SECOND, ((0, 1), (2,)))
    cut = Cut(SECOND, 2 * SECOND, ((0, 1),))
    burst = LossBurst(SECOND, 2 * SECOND, 200_000)
    crash = Crash(SECOND, 2 * SECOND, 1)
    base = scenario(members=3, faults=(partition, cut, burst, crash))
    assert rules_of(base, [crash]) == {}
    assert set(rules_of(base, [partition])) == {(0, 2), (2, 0), (1, 2), (2, 1)}
    assert rules_of(base, [cut]) == {(0, 1): LinkRule(mute=True)}
    assert set(rules_of(base, [burst]).values()) == {LinkRule(loss=0.2)}


def test_only_links_that_delay_or_lose_need_a_switch():
    assert not needs_a_switch(scenario(faults=(Partition(1, 2, ((0,), (1,))),)))
    assert needs_a_switch(scenario(faults=(LossBurst(1, 2, 5),)))
    assert needs_a_switch(scenario(conditions=UNIFORM))


def test_slow_and_clogged_links_add_delay_speed_and_cuts():
    slow = SlowLink(SECOND, 2 * SECOND, ((0, 1),), 40 * MILLISECOND, Capacity(64_000))
    clog = Clog(SECOND, 2 * SECOND, ((1, 0),))
    base = scenario(members=2, faults=(slow, clog))
    assert rules_of(base, [slow, clog]) == {
        (0, 1): LinkRule(delay_ms=40, rate_bps=64_000),
        (1, 0): LinkRule(mute=True),
    }
    assert needs_a_switch(base)
    shared = replace(slow, pairs=((0, 1), (1, 0)))
    with pytest.raises(Unplayable, match="a speed that several links share"):
        shape_of(scenario(faults=(shared,)), 2)


def test_regions_lossy_and_narrow_links_are_what_they_are():
    conditions = replace(
        INSTANT,
        lossy=(((0, 1), 50_000),),
        narrow=(((1, 0), Capacity(8_000)),),
        regions=(0, 1),
        region_delays_ns=((0, 5 * MILLISECOND), (7 * MILLISECOND, 0)),
    )
    assert rules_of(scenario(members=2, conditions=conditions)) == {
        (0, 1): LinkRule(delay_ms=5, loss=0.05),
        (1, 0): LinkRule(delay_ms=7, rate_bps=8_000),
    }


def test_the_node_through_which_all_others_find_the_network_cannot_join_late():
    with pytest.raises(Unplayable, match="node 0 joining late"):
        shape_of(scenario(faults=(Join(0, 2 * SECOND, 0),)), 2)
    assert shape_of(scenario(faults=(Join(0, 2 * SECOND, 1),)), 2).scenario.late == {1}
