"""A peer of another network or version is no neighbour, and the log says what is to be done."""

import pytest
import structlog
import trio
import trio.testing

from p2pnode.greeting import (
    ASKED_MAX,
    GREETING_KIND,
    HEARING_SECONDS,
    READING_SECONDS,
    Greeter,
    Parting,
    greeting_of,
)
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
    Greeter(peer.port, driver_of(core, FakeWorld()), NETWORK)
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
            await Greeter(own.port, driver, NETWORK).greet(PEER, trio.CancelScope())
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


@pytest.mark.parametrize("answer", [b"", bytes(34), greeting_of(NETWORK) + bytes(1)])
async def test_any_other_answer_is_one_of_another_network(
    answer: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    told, (row,) = await meet(answer)
    assert (told, row["event"]) == ([], "peer_of_another_network")


async def test_a_program_from_before_versions_is_told_to_update(
    autojump_clock: trio.testing.MockClock,
) -> None:
    told, (row,) = await meet(NETWORK)
    assert (told, row["event"], row["its_version"]) == ([], "peer_of_another_version", 0)
    assert row["advice"] == "its operator has to update it"


async def parted(answer: bytes, asks_after: float | None) -> tuple[FakeNetwork, float]:
    """Greets a peer that answers something and asks for a greeting later, or never.

    Returns:
        This node's network, and when the greeting began.
    """
    own, peer = FakeNetwork(), FakeNetwork(PEER)

    async def other(account: bytes, payload: bytes) -> bytes:
        return answer

    peer.serve(GREETING_KIND, other)
    own.knows(peer)
    peer.knows(own)
    greeter = Greeter(own.port, driver_of(ScriptedCore(), FakeWorld()), NETWORK)
    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(greeter.greet, PEER, trio.CancelScope())
        if asks_after is not None:
            await trio.sleep(asks_after)
            await peer.request(own.account, GREETING_KIND, b"", 1.0)
    return own, begun


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (greeting_of(NETWORK, VERSION + 1), Parting.VERSION),
        (NETWORK, Parting.VERSION),
        (b"of another network", Parting.NETWORK),
    ],
)
async def test_a_link_ends_once_both_sides_have_said_that_they_differ(
    answer: bytes, reason: Parting, autojump_clock: trio.testing.MockClock
) -> None:
    own, begun = await parted(answer, asks_after=3.0)
    ((account, told, at),) = own.parted
    assert (account, told) == (PEER, reason.value)
    assert own.shunned == [(PEER, begun)], "at once, since the peer may end the link before"
    assert 3.0 + READING_SECONDS <= at - begun <= 3.0 + 2 * READING_SECONDS


async def test_a_peer_that_never_asks_does_not_keep_its_link(
    autojump_clock: trio.testing.MockClock,
) -> None:
    own, begun = await parted(greeting_of(NETWORK, VERSION + 1), asks_after=None)
    ((_, _, at),) = own.parted
    assert at - begun == pytest.approx(HEARING_SECONDS + READING_SECONDS)


async def test_a_link_to_a_node_of_one_program_stays(
    autojump_clock: trio.testing.MockClock,
) -> None:
    own, _ = await parted(greeting_of(NETWORK), asks_after=1.0)
    assert own.parted == own.shunned == []


async def test_strangers_that_ask_are_remembered_within_a_bound() -> None:
    own = FakeNetwork()
    greeter = Greeter(own.port, driver_of(ScriptedCore(), FakeWorld()), NETWORK)
    for number in range(ASKED_MAX + 50):
        await own.handlers[GREETING_KIND](number.to_bytes(32, "big"), b"")
    assert len(greeter._asked) == ASKED_MAX
