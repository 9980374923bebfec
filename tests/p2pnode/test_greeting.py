"""A peer of another network or version is no neighbour, and the log says what is to be done."""

import pytest
import structlog
import trio
import trio.testing

from p2pnode.greeting import GREETING_KIND, greet, greeting_of, serve_greeting
from protocol import events as ev
from protocol.messages import VERSION, network_of
from tests.p2pnode.fake_ports import FakeNetwork, FakeWorld, ScriptedCore, lone_genesis
from tests.p2pnode.fake_ports import scripted_driver as driver_of
from tests.support.builders import account_id

NETWORK = network_of(lone_genesis())
PEER = account_id(2)


async def meet(answer: bytes | None) -> tuple[list[ev.Event], list[dict[str, object]]]:
    """What the core is told, and what the log says, when a peer greets with something."""
    core, own, peer = ScriptedCore(), FakeNetwork(), FakeNetwork(PEER)
    serve_greeting(peer.port, NETWORK)
    if answer is not None:
        told = answer

        async def other(account: bytes, payload: bytes) -> bytes:
            return told

        peer.handlers[GREETING_KIND] = other
    own.knows(peer)
    driver = driver_of(core, FakeWorld())
    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(driver.run)
            await greet(own.port, driver, PEER, NETWORK, trio.CancelScope())
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    rows = [dict(one) for one in logs if str(one["event"]).startswith("peer_of")]
    return [one for one in core.taken if not isinstance(one, ev.Tick)], rows


async def test_two_nodes_of_one_program_are_neighbours(
    autojump_clock: trio.testing.MockClock,
) -> None:
    assert await meet(None) == ([ev.PeerJoined(PEER)], [])


@pytest.mark.parametrize(
    ("version", "advice"),
    [(VERSION + 1, "update this node"), (VERSION - 1, "its operator has to update it")],
)
async def test_a_peer_of_another_version_is_refused_in_words(
    version: int, advice: str, autojump_clock: trio.testing.MockClock
) -> None:
    """RELIABILITY C9."""
    told, (row,) = await meet(greeting_of(NETWORK, version))
    assert told == []
    assert (row["event"], row["its_version"], row["own_version"]) == (
        "peer_of_another_version",
        version,
        VERSION,
    )
    assert str(row["advice"]).startswith(advice)


@pytest.mark.parametrize("answer", [b"", NETWORK, bytes(34), greeting_of(NETWORK) + bytes(1)])
async def test_any_other_answer_is_one_of_another_network(
    answer: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    told, (row,) = await meet(answer)
    assert (told, row["event"]) == ([], "peer_of_another_network")
