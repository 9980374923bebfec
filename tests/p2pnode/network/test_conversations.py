"""Many questions on one stream: order, refusals, silence and bounds."""

import pytest
import trio

from p2pnode.network import PeerUnreachable, RequestRefused, RequestTimedOut
from p2pnode.network.conversations import CONVERSATION_PROTOCOL
from p2pnode.network.framing import framed
from p2pnode.network.limits import CONTROL_LIMIT_BYTES, OPEN_CONVERSATIONS
from tests.support.networks import connect, open_networks, wait_until

pytestmark = pytest.mark.slow
SECONDS = 20.0
QUESTIONS = [bytes([number]) * (number * 3_000) for number in range(20)]


async def double(account: bytes, payload: bytes) -> bytes:
    if payload == b"no":
        raise RequestRefused("not that one")
    return payload * 2


async def test_answers_belong_to_their_questions_and_a_refusal_ends_nothing():
    async with open_networks(2) as (one, other):
        other.serve_in_turn("double", double)
        await connect(one, other)
        answers: dict[bytes, bytes] = {}
        async with one.converse(other.account, "double", SECONDS) as conversation:

            async def ask(payload: bytes) -> None:
                answers[payload] = await conversation.ask(payload, SECONDS)

            async with trio.open_nursery() as nursery:
                list(map(nursery.start_soon, [ask] * 20, QUESTIONS))
            with pytest.raises(RequestRefused, match="not that one"):
                await conversation.ask(b"no", SECONDS)
            assert await conversation.ask(b"last", SECONDS) == b"lastlast"
        assert len(answers) == 20
        assert all(answer == payload * 2 for payload, answer in answers.items())


async def test_after_silence_nothing_more_is_asked():
    async def never(account: bytes, payload: bytes) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    async with open_networks(2) as (one, other):
        other.serve_in_turn("never", never)
        await connect(one, other)
        async with one.converse(other.account, "never", SECONDS) as conversation:
            with pytest.raises(RequestTimedOut):
                await conversation.ask(b"?", 0.1)
            with pytest.raises(PeerUnreachable):
                await conversation.ask(b"?", SECONDS)


async def test_what_is_not_served_and_what_is_too_much_ends_the_conversation():
    async def wait(account: bytes, payload: bytes) -> bytes:
        await released.wait()
        return b"done"

    released = trio.Event()
    async with open_networks(2) as (one, other), trio.open_nursery() as nursery:
        other.serve_in_turn("wait", wait)
        await connect(one, other)
        with pytest.raises(PeerUnreachable):
            async with one.converse(other.account, "unknown", SECONDS) as conversation:
                await conversation.ask(b"?", SECONDS)
        answers: list[bytes] = []

        async def hold() -> None:
            async with one.converse(other.account, "wait", SECONDS) as conversation:
                answers.append(await conversation.ask(b"?", SECONDS))

        for _ in range(OPEN_CONVERSATIONS):
            nursery.start_soon(hold)
        handler = other._parts.conversations
        await wait_until(lambda: handler._open[one.account] == OPEN_CONVERSATIONS)
        with pytest.raises(PeerUnreachable):
            async with one.converse(other.account, "wait", SECONDS) as conversation:
                await conversation.ask(b"?", SECONDS)
        released.set()
        await wait_until(lambda: len(answers) == OPEN_CONVERSATIONS)
        assert other.counters()["rejected_conversation"] == 2
        await wait_until(lambda: not handler._open)


@pytest.mark.parametrize("sent", [b"\xff" * 8, framed(b"x" * 65), b"\0", framed(b"double")])
async def test_a_hostile_stream_harms_nothing(sent: bytes):
    async with open_networks(2) as (one, other):
        other.serve_in_turn("double", double)
        await connect(one, other)
        link = one._parts.links.get(other.account)
        stream = await one._parts.requests._host.new_stream(link.peer_id, [CONVERSATION_PROTOCOL])
        too_long = (CONTROL_LIMIT_BYTES + 1).to_bytes(4, "big")
        await stream.write(sent + too_long)
        await stream.close()
        handler = other._parts.conversations
        await wait_until(lambda: not handler._open)
        async with one.converse(other.account, "double", SECONDS) as conversation:
            assert await conversation.ask(b"a", SECONDS) == b"aa"
        assert "contained_conversation" not in other.counters()
