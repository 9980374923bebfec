import random

from p2pnode.lab.real.queueing import BACKLOG_NS, LATE_NS, Lateness, PacketQueue
from p2pnode.network import LinkRule
from protocol.units import MILLISECOND, SECOND

PAIR = (0, 1)


def queue(rule=None, pair=PAIR):
    made = PacketQueue(random.Random(1))  # noqa: S311
    made.rules = {pair: rule} if rule else {}
    return made


def test_a_whole_link_keeps_nothing():
    assert queue().send(PAIR, b"packet", 5)
    assert queue(LinkRule(mute=True), (1, 0)).send(PAIR, b"packet", 5)


def test_a_delayed_packet_arrives_at_its_time_and_not_before():
    made = queue(LinkRule(delay_ms=50))
    assert not made.send(PAIR, b"packet", 0)
    assert list(made.arrived(50 * MILLISECOND - 1)) == []
    assert made.seconds_until_next(0, 0.02) == 0.02
    assert made.seconds_until_next(45 * MILLISECOND, 0.02) == 0.005
    assert list(made.arrived(50 * MILLISECOND)) == [(1, b"packet")]
    assert made.lateness == Lateness(packets=1)


def test_who_asks_too_late_for_a_packet_is_told_by_how_much():
    made = queue(LinkRule(delay_ms=50))
    for late_ns in (LATE_NS, LATE_NS + 1):
        made.send(PAIR, b"packet", 0)
        assert len(list(made.arrived(50 * MILLISECOND + late_ns))) == 1
    assert made.lateness == Lateness(packets=2, late=1, most_ns=LATE_NS + 1)


def test_jitter_never_changes_the_order_of_a_pair():
    made = queue(LinkRule(delay_ms=10, jitter_ms=40, tail_ms=5))
    for number in range(200):
        made.send(PAIR, bytes([number]), number * MILLISECOND)
    arrived = [packet[0] for _, packet in made.arrived(10 * SECOND)]
    assert arrived == list(range(200))


def test_what_follows_a_delayed_packet_does_not_overtake_it_when_the_rule_ends():
    made = queue(LinkRule(delay_ms=50))
    made.send(PAIR, b"first", 0)
    made.rules = {}
    assert not made.send(PAIR, b"second", 10 * MILLISECOND)
    assert [packet for _, packet in made.arrived(50 * MILLISECOND)] == [b"first", b"second"]
    assert made.send(PAIR, b"third", 60 * MILLISECOND)


def test_cuts_and_losses_are_counted_apart():
    made = queue(LinkRule(mute=True))
    made.send(PAIR, b"packet", 0)
    made.rules = {PAIR: LinkRule(loss=0.25)}
    for number in range(4_000):
        made.send(PAIR, b"packet", number * SECOND)
    assert made.cut == {0: 1}
    assert 900 < made.lost[0] < 1_100


def test_a_rate_spaces_packets_and_loses_what_would_wait_too_long():
    made = queue(LinkRule(rate_bps=8_000))
    for _ in range(30):
        made.send(PAIR, b"x" * 100, 0)
    kept = BACKLOG_NS // (SECOND // 10) + 1
    assert made.lost == {0: 30 - kept}
    assert len(list(made.arrived(SECOND // 10))) == 1
    assert len(list(made.arrived(kept * SECOND // 10))) == kept - 1
