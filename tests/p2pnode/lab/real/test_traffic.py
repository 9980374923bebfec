from p2pnode.lab.real.timeline import FaultNote
from p2pnode.lab.real.traffic import Closed, closed_times, traffic_of
from p2pnode.lab.real.watch import LinkSample
from protocol.simulator.scenario import Crash, Partition
from protocol.simulator.traffic import Traffic

NUMBERS = {"a": 0, "b": 1}


def sample(time_ns, since, messages, size_bytes, node=0, peer="b"):
    return LinkSample(time_ns, node, {peer: (since, messages, size_bytes)})


def test_a_link_carried_what_its_sender_counted_from_the_first_sample_to_the_last():
    samples = [sample(0, 5.0, 100, 1_000), sample(9, 5.0, 130, 1_700)]
    assert traffic_of(samples, NUMBERS, ()) == {(0, 1): Traffic(30, 700)}
    assert traffic_of(samples[:1], NUMBERS, ()) == {}


def test_a_connection_that_was_made_meanwhile_counts_with_all_that_it_carried():
    samples = [sample(0, 5.0, 100, 1_000), sample(9, 6.0, 7, 70), sample(12, 6.0, 9, 90)]
    assert traffic_of(samples, NUMBERS, ()) == {(0, 1): Traffic(9, 90)}


def test_what_set_out_while_the_link_was_closed_met_the_cut_and_was_not_carried():
    closed = [Closed(10, 30, frozenset({(0, 1)}))]
    times = (0, 10, 20, 30, 40)
    there = [sample(time, 5.0, time, 10 * time) for time in times]
    back = [sample(time, 5.0, time, 10 * time, node=1, peer="a") for time in times]
    assert traffic_of([*there, *back], NUMBERS, closed) == {
        (0, 1): Traffic(20, 200, cut=20),
        (1, 0): Traffic(40, 400),
    }


def test_messages_around_the_edge_of_a_cut_count_as_carried():
    closed = [Closed(10, 30, frozenset({(0, 1)}))]
    samples = [sample(5, 5.0, 0, 0), sample(15, 5.0, 4, 40), sample(35, 5.0, 9, 90)]
    assert traffic_of(samples, NUMBERS, closed) == {(0, 1): Traffic(9, 90)}


def test_strangers_have_no_links_and_an_older_answer_that_came_late_is_left_out():
    strange = [sample(0, 5.0, 1, 1, peer="x"), sample(9, 5.0, 2, 2, peer="x")]
    assert traffic_of(strange, NUMBERS, ()) == {}
    late = [sample(0, 5.0, 3, 30), sample(4, 5.0, 9, 90), sample(5, 5.0, 6, 60)]
    assert traffic_of(late, NUMBERS, ()) == {(0, 1): Traffic(6, 60)}


def test_a_link_was_closed_when_the_fault_really_was_in_effect():
    split, crash = Partition(0, 9, ((0,), (1,))), Crash(0, 9, 1)
    never = FaultNote("Partition", (0, 1), (0, 9))
    real = FaultNote("Partition", (0, 1), (0, 9), begun_ns=2, ended_ns=11)
    both = frozenset({(0, 1), (1, 0)})
    assert list(closed_times([split, crash, split], [real, real, never])) == [Closed(2, 11, both)]
