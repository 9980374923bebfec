from p2pnode.lab.real.timeline import FaultNote
from p2pnode.lab.real.traffic import Closed, LinkSample, closed_times, samples_of, traffic_of
from protocol.simulator.scenario import START_NS, Crash, Partition
from protocol.simulator.traffic import Traffic

NUMBERS = {"a": 0, "b": 1}


def sample(time_ns, count, size_bytes, node=0, peer="b", process=1):
    return LinkSample(time_ns, node, process, {peer: (count, size_bytes)})


def test_a_link_carried_what_its_sender_wrote_from_the_first_sample_to_the_last():
    samples = [sample(0, 100, 1_000), sample(9, 130, 1_700)]
    assert traffic_of(samples, NUMBERS, ()) == {(0, 1): Traffic(30, 700)}
    assert traffic_of(samples[:1], NUMBERS, ()) == {}


def test_a_process_that_was_started_meanwhile_counts_with_all_that_it_wrote():
    samples = [sample(0, 100, 1_000), sample(9, 7, 70, process=2), sample(12, 9, 90, process=2)]
    assert traffic_of(samples, NUMBERS, ()) == {(0, 1): Traffic(9, 90)}


def test_what_was_written_while_the_link_was_closed_met_the_cut_and_was_not_carried():
    closed = [Closed(10, 30, frozenset({(0, 1)}))]
    times = (0, 10, 20, 30, 40)
    there = [sample(time, time, 10 * time) for time in times]
    back = [sample(time, time, 10 * time, node=1, peer="a") for time in times]
    assert traffic_of([*there, *back], NUMBERS, closed) == {
        (0, 1): Traffic(20, 200, cut=20),
        (1, 0): Traffic(40, 400),
    }


def test_writes_around_the_edge_of_a_cut_count_as_carried_and_strangers_have_no_links():
    closed = [Closed(10, 30, frozenset({(0, 1)}))]
    samples = [sample(5, 0, 0), sample(15, 4, 40), sample(35, 9, 90)]
    assert traffic_of(samples, NUMBERS, closed) == {(0, 1): Traffic(9, 90)}
    strange = [sample(0, 1, 1, peer="x"), sample(9, 2, 2, peer="x")]
    assert traffic_of(strange, NUMBERS, ()) == {}


def test_samples_count_from_when_the_network_was_ready_and_by_process():
    opened = {"time_ns": 0, "node": 0, "step": "opened"}
    links = {"node": 0, "step": "links", "peers": {"b": [3, 30]}}
    rows = [opened, links | {"time_ns": 5}, links | {"time_ns": START_NS}]
    rows += [opened | {"time_ns": START_NS + 1}, links | {"time_ns": START_NS + 2}]
    assert list(samples_of(rows)) == [
        sample(START_NS, 3, 30),
        sample(START_NS + 2, 3, 30, process=2),
    ]


def test_a_link_was_closed_when_the_fault_really_was_in_effect():
    split, crash = Partition(0, 9, ((0,), (1,))), Crash(0, 9, 1)
    never = FaultNote("Partition", (0, 1), (0, 9))
    real = FaultNote("Partition", (0, 1), (0, 9), begun_ns=2, ended_ns=11)
    both = frozenset({(0, 1), (1, 0)})
    assert list(closed_times([split, crash, split], [real, real, never])) == [Closed(2, 11, both)]
