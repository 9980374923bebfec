"""Real networks in one process, for tests: opened on loopback, connected, watched."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import trio

from p2pnode.interfaces import Gossiped, NetworkEvent, Received
from p2pnode.network import Network, NetworkSettings, open_network

TOPIC = "entries"
PATIENCE_SECONDS = 20.0
"""How long a test waits for what must come; no measure of speed, since the machine may be busy."""


def accept_all(topic: str, account: bytes, payload: bytes) -> bool:
    """A gate that is always open."""
    return True


def seed_of(number: int) -> bytes:
    """The seed of a numbered test node."""
    return number.to_bytes(2, "big").rjust(32, b"\x07")


def local_settings(
    bootstrap: Sequence[str] = (),
    port: int = 0,
    most_links: int = 8,
    target_links: int = 4,
    book: Path | None = None,
) -> NetworkSettings:
    """Settings of a node that listens on loopback."""
    return NetworkSettings(
        listen=(f"/ip4/127.0.0.1/tcp/{port}",),
        bootstrap=tuple(bootstrap),
        topics=(TOPIC,),
        target_links=target_links,
        most_links=most_links,
        address_book=book,
    )


@dataclass(frozen=True, slots=True)
class Started:
    """A network that runs in its own task."""

    network: Network
    _stop: trio.Event
    _stopped: trio.Event

    async def close(self) -> None:
        """Close it and wait until it is."""
        self._stop.set()
        await self._stopped.wait()


@asynccontextmanager
async def open_networks(
    count: int,
    gate: Callable[[str, bytes, bytes], bool] = accept_all,
    gates: Sequence[Callable[[str, bytes, bytes], bool]] = (),
    target_links: int = 0,
) -> AsyncIterator[list[Network]]:
    """Open that many networks that dial nobody by themselves."""
    async with AsyncExitStack() as stack:
        networks = []
        for number in range(count):
            chosen = gates[number] if gates else gate
            settings = local_settings(target_links=target_links)
            opened = open_network(settings, seed_of(number + 1), chosen)
            networks.append(await stack.enter_async_context(opened))
        yield networks


@asynccontextmanager
async def open_apart(nursery: trio.Nursery) -> AsyncIterator[Callable[..., Awaitable[Started]]]:
    """A way to start networks that can each be closed alone, in any order."""
    started: list[Started] = []

    async def start(number: int, settings: NetworkSettings) -> Started:
        one: Started = await nursery.start(_run_apart, number, settings)
        started.append(one)
        return one

    yield start
    for one in started:
        await one.close()


async def _run_apart(
    number: int,
    settings: NetworkSettings,
    task_status: trio.TaskStatus[Started],  # type: ignore[name-defined]  # old stubs
) -> None:
    stop, stopped = trio.Event(), trio.Event()
    async with open_network(settings, seed_of(number), accept_all) as network:
        task_status.started(Started(network, stop, stopped))
        await stop.wait()
    stopped.set()


async def connect(*networks: Network) -> None:
    """Connect each network to the next and wait until both ends have joined."""
    for one, other in pairwise(networks):
        await one.connect(other.addresses[0])
    for one, other in pairwise(networks):
        await wait_joined(one, other)


async def wait_joined(one: Network, other: Network, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until two networks count each other as joined."""
    await wait_until(lambda: is_joined(one, other) and is_joined(other, one), seconds)


def is_joined(one: Network, other: Network) -> bool:
    """Whether the first counts the second as joined."""
    return any(peer.account == other.account and peer.joined for peer in one.peers())


async def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition; fails the test when it does not come."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - the condition belongs to other tasks
            await trio.sleep(0.02)


async def collect(
    network: Network,
    kind: type[Gossiped] | type[Received],
    count: int,
    seconds: float = PATIENCE_SECONDS,
) -> list[bytes]:
    """The payloads of the next events of a kind; fewer when time is up."""
    payloads: list[bytes] = []
    with trio.move_on_after(seconds):
        async for event in network.events:
            if isinstance(event, kind):
                payloads.append(event.payload)
            if len(payloads) == count:
                break
    return payloads


def pending(network: Network) -> list[NetworkEvent]:
    """All events that wait at this moment."""
    events: list[NetworkEvent] = []
    while True:
        try:
            events.append(network.events.receive_nowait())
        except trio.WouldBlock:
            return events
