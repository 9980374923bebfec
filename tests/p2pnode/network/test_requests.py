import pytest
import trio

from p2pnode.interfaces import Received
from p2pnode.network import (
    PayloadTooLarge,
    PeerUnreachable,
    RequestRefused,
    RequestTimedOut,
    peer_id_of,
)
from p2pnode.network.framing import framed
from p2pnode.network.limits import (
    ANSWER_LIMIT_BYTES,
    CONTROL_LIMIT_BYTES,
    MESSAGE_LIMIT_BYTES,
    OUTBOX_LIMIT_BYTES,
    REQUEST_BURST,
    SILENCE_SECONDS,
)
from p2pnode.network.links import DIRECT_PROTOCOL
from p2pnode.network.requests import REQUEST_PROTOCOL
from tests.support.networks import collect, connect, open_networks, wait_until

pytestmark = pytest.mark.slow


async def double(account: bytes, payload: bytes) -> bytes:
    return payload * 2


async def test_a_request_is_answered_with_the_account_of_the_asker():
    async def answer(account, payload):
        return account + payload

    async with open_networks(2) as (one, other):
        other.serve("who", answer)
        await connect(one, other)
        assert await one.request(other.account, "who", b"?", 3) == one.account + b"?"


async def test_a_request_dials_a_known_peer_that_is_not_connected():
    async with open_networks(3) as (one, middle, other):
        other.serve("double", double)
        await connect(one, middle, other)
        await wait_until(lambda: one._parts.discovery.book.get(other.account) is not None)
        assert other.account not in {peer.account for peer in one.peers()}
        assert await one.request(other.account, "double", b"a", 5) == b"aa"


async def test_the_largest_request_and_the_largest_answer_pass_and_larger_ones_do_not():
    async def long_answer(account, payload):
        return bytes(ANSWER_LIMIT_BYTES + int(payload[:1]))

    async with open_networks(2) as (one, other):
        other.serve("long", long_answer)
        await connect(one, other)
        padding = bytes(CONTROL_LIMIT_BYTES - 1)
        answer = await one.request(other.account, "long", b"0" + padding, 20)
        assert len(answer) == ANSWER_LIMIT_BYTES
        with pytest.raises(RequestRefused, match="too large"):
            await one.request(other.account, "long", b"1", 20)
        with pytest.raises(PayloadTooLarge):
            await one.request(other.account, "long", b"00" + padding, 3)


async def test_a_refusal_a_raising_handler_and_an_unknown_kind_are_refusals():
    async def refuse(account, payload):
        raise RequestRefused("not today")

    async def fail(account, payload):
        raise ZeroDivisionError

    async with open_networks(2) as (one, other):
        other.serve("refuse", refuse)
        other.serve("fail", fail)
        await connect(one, other)
        with pytest.raises(RequestRefused, match="not today"):
            await one.request(other.account, "refuse", b"", 3)
        with pytest.raises(RequestRefused, match="failed to answer"):
            await one.request(other.account, "fail", b"", 3)
        with pytest.raises(RequestRefused, match="not served"):
            await one.request(other.account, "unheard of", b"", 3)
        assert other.counters()["contained_handler"] == 1


async def test_a_request_without_an_answer_times_out_and_the_link_stays():
    async def never(account, payload):
        await trio.sleep_forever()

    async with open_networks(2) as (one, other):
        other.serve("never", never)
        other.serve("double", double)
        await connect(one, other)
        began = trio.current_time()
        for _ in range(3):
            with pytest.raises(RequestTimedOut):
                await one.request(other.account, "never", b"", 0.3)
        assert trio.current_time() - began < SILENCE_SECONDS, "it waited for more than its time"
        assert await one.request(other.account, "double", b"a", 3) == b"aa"
        assert one.counters().get("links_dropped_silent", 0) == 0


async def test_an_unknown_account_is_unreachable():
    async with open_networks(1) as (one,):
        with pytest.raises(PeerUnreachable, match="no address"):
            await one.request(b"\1" * 32, "any", b"", 3)
        assert not one.send(b"\1" * 32, b"lost")


async def test_more_requests_than_allowed_are_refused_and_counted():
    async with open_networks(2) as (one, other):
        other.serve("double", double)
        await connect(one, other)
        refused = 0

        async def ask():
            nonlocal refused
            for _ in range(12):
                try:
                    await one.request(other.account, "double", b"a", 30)
                except RequestRefused:
                    refused += 1

        # The bucket is emptied first, so that the test does not need hundreds of requests.
        other._parts.requests._admit(one.account)
        other._parts.requests._buckets[one.account].tokens = 3 - REQUEST_BURST / 10
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(ask)
        # The exchange of addresses between the two may be among the refused.
        assert 0 < refused <= other.counters()["rejected_request_rate"] <= refused + 2


async def test_messages_arrive_whole_in_order_and_are_counted():
    async with open_networks(2) as (one, other):
        await connect(one, other)
        sent = [bytes([number]) * (1 + number * 1000) for number in range(50)]
        assert all(one.send(other.account, payload) for payload in sent)
        assert await collect(other, Received, len(sent)) == sent
        big = b"x" * MESSAGE_LIMIT_BYTES
        assert one.send(other.account, big)
        assert await collect(other, Received, 1) == [big]
        with pytest.raises(PayloadTooLarge):
            one.send(other.account, big + b"x")


async def test_a_full_outbox_refuses_more():
    async with open_networks(2) as (one, other):
        await connect(one, other)
        big = b"x" * MESSAGE_LIMIT_BYTES
        taken = 0
        while one.send(other.account, big):
            taken += 1
        assert taken == OUTBOX_LIMIT_BYTES // (MESSAGE_LIMIT_BYTES + 5)
        assert one.counters()["dropped_sends"] == 1


@pytest.mark.parametrize("protocol", [REQUEST_PROTOCOL, DIRECT_PROTOCOL])
async def test_garbage_on_a_stream_of_ours_kills_nobody(protocol):
    async with open_networks(2) as (attacker, victim):
        victim.serve("double", double)
        await connect(attacker, victim)
        host = attacker._parts.links._parts.host
        victim_id = attacker._parts.links.get(victim.account).peer_id
        for garbage in (b"\xff" * 9, framed(), framed(b"\xff" * 70), framed(b"\7x"), b"\0\0"):
            stream = await host.new_stream(victim_id, [protocol])
            await stream.write(garbage)
            await trio.sleep(0.05)
            await stream.reset()
        assert await attacker.request(victim.account, "double", b"a", 3) == b"aa"


async def test_a_peer_is_described():
    async with open_networks(2) as (one, other):
        await connect(one, other)
        (peer,) = one.peers()
        assert (peer.account, peer.direction, peer.joined) == (other.account, "outbound", True)
        assert peer.peer_id == peer_id_of(other.account)
        assert other.addresses[0].startswith(peer.address.partition("/p2p")[0])
        assert 0 <= peer.rtt_ms < 1000
