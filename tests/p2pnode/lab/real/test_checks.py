from p2pnode.lab.real.checks import (
    Recovery,
    agreement_ns,
    as_played,
    conflicts,
    missed_bites,
    recovery_of,
    stray_facts,
)
from p2pnode.lab.real.timeline import FaultNote
from protocol.simulator.scenario import ClockJump, Crash, Cut, Partition
from protocol.units import MILLISECOND, SECOND
from tests.p2pnode.lab.real import builders

SPLIT = Partition(2 * SECOND, 6 * SECOND, ((0, 1, 2), (3,)))


def note(fault, begun_ns=2 * SECOND, ended_ns=6 * SECOND):
    return FaultNote(type(fault).__name__, (0, 1, 2, 3), (0, 0), begun_ns, ended_ns, 1)


def watched(folder, *rows):
    with builders.watch(folder) as watch:
        for node, index, at_ms in rows:
            watch.fact(node, builders.commit(index, at_ms))
    return watch


def test_the_cut_off_side_is_judged_and_its_return_timed(tmp_path):
    rows = [(node, 1, 1_000) for node in range(4)]
    rows += [(node, 2, 4_000 + node) for node in range(3)]
    rows += [(3, 2, 6_900)] + [(node, 3, 7_500) for node in range(4)]
    watch = watched(tmp_path, *rows)
    found = recovery_of(SPLIT, note(SPLIT), builders.scenario(), watch)
    assert found == Recovery("Partition", (3,), 0, 1, 900 * MILLISECOND, 900 * MILLISECOND)


def test_a_commit_without_a_quorum_is_noticed_but_not_what_was_on_its_way(tmp_path):
    watch = watched(tmp_path, (3, 1, 2_100), (3, 2, 4_000))
    found = recovery_of(SPLIT, note(SPLIT), builders.scenario(), watch)
    assert found is not None
    assert (found.stuck, found.stuck_commits) == ((3,), 1)
    assert (found.first_final_ns, found.agreement_ns) == (None, None)


def test_neither_half_of_an_even_split_may_go_on(tmp_path):
    even = Partition(2 * SECOND, 6 * SECOND, ((0, 1), (2, 3)))
    found = recovery_of(even, note(even), builders.scenario(), watched(tmp_path))
    assert found is not None
    assert found.stuck == (0, 1, 2, 3)


def test_of_a_crash_the_node_itself_counts_and_of_a_cut_nobody_is_stuck(tmp_path):
    crash, cut = Crash(2 * SECOND, 6 * SECOND, 1), Cut(2 * SECOND, 6 * SECOND, ((0, 1),))
    watch = watched(tmp_path)
    for fault, stuck in ((crash, (1,)), (cut, ())):
        found = recovery_of(fault, note(fault), builders.scenario(), watch)
        assert found is not None
        assert found.stuck == stuck


def test_a_fault_that_never_took_effect_has_no_recovery(tmp_path):
    unfounded = FaultNote("Partition", (0,), (0, 0))
    assert recovery_of(SPLIT, unfounded, builders.scenario(), watched(tmp_path)) is None


def test_agreement_waits_for_the_last_node(tmp_path):
    watch = watched(tmp_path, *((node, 5, 1_000 * (node + 1)) for node in range(4)))
    assert agreement_ns(watch, 2 * SECOND) == 2 * SECOND
    assert agreement_ns(watch, 9 * SECOND) == 0


def test_two_digests_or_two_states_at_one_index_are_a_conflict(tmp_path):
    with builders.watch(tmp_path) as watch:
        watch.fact(0, builders.commit(1, 10))
        watch.fact(1, builders.commit(1, 20))
        assert conflicts(watch) == []
        watch.fact(2, builders.commit(1, 20, digest="other"))
        watch.fact(3, builders.commit(1, 20, state_digest="other"))
    assert conflicts(watch) == [
        "nodes 0 and 2 differ at commit 1",
        "nodes 0 and 3 differ at commit 1",
    ]


def test_a_fault_that_did_nothing_is_named_with_the_reason():
    unbitten = FaultNote("Partition", (0, 1), (0, 1), silent=(1,))
    failed = FaultNote("Pause", (1,), (0, 1), trouble="node 1 does not run")
    leaky = FaultNote("Cut", (1,), (0, 1), count=1, passed_bytes=7)
    assert missed_bites([unbitten, failed, leaky], [None, None, None]) == [
        "the fault Partition did not bite, as nodes (1,) sent nothing against it",
        "the fault Pause did not bite: node 1 does not run",
        "the fault Cut let 7 bytes pass",
    ]


def test_a_side_with_a_quorum_has_to_go_on_if_the_cut_is_long_enough(tmp_path):
    base = builders.scenario()
    long = Partition(2 * SECOND, 60 * SECOND, SPLIT.groups)
    watch = watched(tmp_path, (0, 1, 5_000))
    idle = watched(tmp_path / "idle")
    for seen, going, missed in ((watch, (0, 1, 2), 0), (idle, (0, 1, 2), 1)):
        told = note(long, ended_ns=60 * SECOND)
        found = recovery_of(long, told, base, seen)
        assert found is not None
        assert found.going == going
        assert len(missed_bites([told], [found])) == missed
    short = recovery_of(SPLIT, note(SPLIT, ended_ns=3 * SECOND), base, idle)
    assert short is not None
    assert short.going == ()


def test_a_clock_bites_by_what_its_node_stamped_wrongly(tmp_path):
    fault = ClockJump(2 * SECOND, 6 * SECOND, 1, 2 * SECOND)
    with builders.watch(tmp_path) as watch:
        watch.errors[1] = [(SECOND, 2 * SECOND), (3 * SECOND, 2 * SECOND), (4 * SECOND, 0)]
        assert stray_facts(fault, note(fault), watch) == 1
        back = ClockJump(2 * SECOND, 6 * SECOND, 1, -2 * SECOND)
        assert stray_facts(back, note(back), watch) == 0


def test_a_partition_counts_from_when_every_part_had_seen_it_until_it_really_ended():
    crash = Crash(2 * SECOND, 6 * SECOND, 1)
    base = builders.scenario(faults=(SPLIT, crash, SPLIT), conditions=builders.UNIFORM)
    never = FaultNote("Partition", (0,), (0, 0))
    played = as_played(base, [note(SPLIT, 3 * SECOND, 9 * SECOND), note(crash), never])
    # Half a second to settle, and four times the longest delay for what was on its way.
    since = 3_740 * MILLISECOND
    assert played.faults == (Partition(since, 9 * SECOND, SPLIT.groups), crash)
