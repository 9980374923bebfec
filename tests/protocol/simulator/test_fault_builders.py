from protocol.simulator import fault_builders as build
from protocol.simulator.chance import Stream
from protocol.simulator.cuts import links_into, links_of, links_out_of
from protocol.simulator.queue import Capacity
from protocol.simulator.scenario import Clog, Cut, Partition, SlowLink

SPAN = (1_000, 9_000)
ORDER = (4, 2, 0, 1, 3)
SLOW = Capacity(64_000)


def isolate(span: build.Span) -> Partition:
    return build.isolated(span, 0, 3)


def test_partitions_have_the_sizes_of_their_names() -> None:
    assert build.isolated(SPAN, 1, 3) == Partition(*SPAN, ((1,), (0, 2)))
    assert build.minority(SPAN, ORDER) == Partition(*SPAN, ((4, 2), (0, 1, 3)))
    assert build.three_ways(SPAN, ORDER) == Partition(*SPAN, ((4,), (2,), (0, 1, 3)))
    assert build.shattered(SPAN, 3) == Partition(*SPAN, ((0,), (1,), (2,)))
    assert build.in_sizes(ORDER, 5) == (ORDER,)


def test_a_random_bipartition_puts_every_node_on_one_side() -> None:
    stream = Stream(1, "sides")
    drawn = [build.bipartition(SPAN, stream, 4).groups for _ in range(200)]
    assert all(sorted(node for side in one for node in side) == [0, 1, 2, 3] for one in drawn)
    assert {len(one) for one in drawn} == {1, 2}
    assert len(set(drawn)) == 15, "of 16 draws, the two with one empty side are alike"


def test_cuts_take_the_links_of_their_names() -> None:
    assert build.partial_cut(SPAN, 0, 1) == Cut(*SPAN, ((0, 1), (1, 0)))
    assert build.bridge(SPAN, (0,), (1,)) == Cut(*SPAN, ((0, 1), (1, 0)))
    assert build.majorities_ring(SPAN, 4) == Cut(*SPAN, ((0, 2), (2, 0), (1, 3), (3, 1)))
    assert build.deaf(SPAN, 0, 3) == Cut(*SPAN, links_into(0, 3))
    assert build.mute(SPAN, 0, 3) == Cut(*SPAN, links_out_of(0, 3))


def test_a_slow_node_is_slow_both_ways() -> None:
    assert build.slow_node(SPAN, 1, 3, 50, SLOW) == (
        SlowLink(*SPAN, links_out_of(1, 3), 50, SLOW),
        SlowLink(*SPAN, links_into(1, 3), 50, SLOW),
    )


def test_a_swizzle_clogs_all_and_frees_them_in_another_order() -> None:
    clogs = build.swizzle(SPAN, Stream(3, "swizzle"), 4)
    assert sorted(clog.pairs for clog in clogs) == sorted(links_of(node, 4) for node in range(4))
    begun = sorted(clogs, key=lambda clog: clog.start_ns)
    freed = sorted(clogs, key=lambda clog: clog.end_ns)
    assert begun != freed
    assert (begun[0].start_ns, freed[-1].end_ns) == SPAN
    assert freed[0].end_ns - begun[-1].start_ns >= (SPAN[1] - SPAN[0]) // 10
    assert isinstance(clogs[0], Clog)


def test_a_fault_every_so_often_ends_within_its_span() -> None:
    found = build.every((0, 100), 30, 20, isolate)
    assert [(one.start_ns, one.end_ns) for one in found] == [(0, 20), (30, 50), (60, 80)]


def test_flapping_is_there_for_half_of_each_period() -> None:
    found = build.flapping((0, 100), 40, isolate)
    assert [(one.start_ns, one.end_ns) for one in found] == [(0, 20), (40, 60), (80, 100)]


def test_a_poisson_generator_keeps_its_mean_gap_and_never_overlaps() -> None:
    found = build.poisson((0, 1_000_000), Stream(1, "gaps"), 800, 200, isolate)
    assert 900 < len(found) < 1_100
    ends = [0, *(one.end_ns for one in found)]
    assert all(end <= one.start_ns for end, one in zip(ends, found, strict=False))
    assert found[-1].end_ns <= 1_000_000
    assert {one.end_ns - one.start_ns for one in found} == {200}
