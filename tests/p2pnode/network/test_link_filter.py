"""The shaper around a session that only notes what is written, in virtual time."""

from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from p2pnode.network import LinkRule
from p2pnode.network.counters import Counters
from p2pnode.network.link_filter import LinkShaper

PEER, OTHER = b"p" * 32, b"o" * 32


class Session:
    def __init__(self):
        self.arrived = []

    async def write(self, data):
        self.arrived.append((round(trio.current_time() - self.began, 3), data))

    async def read(self, count=None):
        await trio.lowlevel.checkpoint()
        return b"answer"


@pytest.fixture
def autojump_clock():
    return MockClock(autojump_threshold=0)


@asynccontextmanager
async def shaped(rule):
    async with trio.open_nursery() as nursery:
        session, counters = Session(), Counters()
        session.began = trio.current_time()
        shaper = LinkShaper(nursery, counters)
        shaper.filter = lambda account: rule if account == PEER else LinkRule()
        shaper.attach(session, PEER)
        yield session, shaper, counters
        nursery.cancel_scope.cancel()


async def test_a_rate_spaces_writes_and_the_delay_comes_on_top(autojump_clock):
    async with shaped(LinkRule(delay_ms=100, rate_bps=8_000)) as (session, _, _):
        for name in (b"a", b"b", b"c"):
            await session.write(name * 500)
        await trio.sleep(5)
    assert [time for time, _ in session.arrived] == [0.6, 1.1, 1.6]


async def test_all_that_is_written_to_a_peer_is_counted_whether_it_arrives_or_not(autojump_clock):
    for rule in (LinkRule(), LinkRule(mute=True)):
        async with shaped(rule) as (session, shaper, _):
            for size in (3, 4):
                await session.write(b"x" * size)
            await trio.sleep(5)
        assert shaper.written == {PEER: (2, 7)}
        assert len(session.arrived) == (0 if rule.mute else 2)


async def test_jitter_and_tail_vary_the_time_and_keep_the_order(autojump_clock):
    rule = LinkRule(delay_ms=50, jitter_ms=30, tail_ms=20)
    async with shaped(rule) as (session, shaper, _):
        drawn = [shaper.seconds_on_the_way(rule, 10) for _ in range(2_000)]
        for number in range(50):
            await session.write(bytes([number]))
        await trio.sleep(5)
    assert [data[0] for _, data in session.arrived] == list(range(50))
    assert min(drawn) >= 0.05
    assert len(set(drawn)) > 1_900
    assert 0.080 < sum(drawn) / len(drawn) < 0.090


async def test_a_lost_packet_comes_a_retransmission_later_and_is_counted(autojump_clock):
    rule = LinkRule(loss=0.3)
    async with shaped(rule) as (_, shaper, counters):
        small = [shaper.seconds_on_the_way(rule, 100) for _ in range(4_000)]
        large = [shaper.seconds_on_the_way(rule, 5_000) for _ in range(4_000)]
    assert {round(one, 1) for one in small} <= {0.0, 0.2, 0.6, 1.4, 3.0, 6.2, 12.6}
    assert 0.25 < sum(one > 0 for one in small) / 4_000 < 0.35
    assert sum(one > 0 for one in large) / 4_000 > 0.7, "each of four packets can be lost"
    assert counters.values()["faults_lost"] > 1_000


async def test_what_is_written_after_a_lost_packet_waits_for_it_and_no_longer(autojump_clock):
    async with shaped(LinkRule(delay_ms=100, loss=0.5)) as (session, _, counters):
        for number in range(30):
            await session.write(bytes([number]))
        await trio.sleep(20)
    assert [data[0] for _, data in session.arrived] == list(range(30))
    times = [time for time, _ in session.arrived]
    assert times == sorted(times)
    assert {round(time - 0.1, 1) for time in times} <= {0.0, 0.2, 0.6, 1.4, 3.0, 6.2, 12.6}
    assert counters.values()["faults_lost"] > 0


async def test_a_mute_link_hears_and_says_nothing_until_it_heals(autojump_clock):
    async with shaped(LinkRule(mute=True)) as (session, shaper, counters):
        await session.write(b"held")
        assert await session.read() == b"answer"
        await trio.sleep(3)
        assert session.arrived == []
        assert (shaper.is_cut(PEER), shaper.is_cut(OTHER)) == (True, False)
        shaper.filter = None
        await trio.sleep(1)
    assert [data for _, data in session.arrived] == [b"held"]
    assert counters.values() == {"faults_cut": 2}


async def test_a_cut_link_hands_over_nothing_that_it_reads(autojump_clock):
    async with shaped(LinkRule(cut=True)) as (session, shaper, _):
        with trio.move_on_after(2) as waited:
            await session.read()
        assert waited.cancelled_caught
        shaper.filter = None
        assert await session.read() == b"answer"
