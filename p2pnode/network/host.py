"""Puts a network together from the library's host and this folder's parts, and takes it apart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import trio
from libp2p import new_host
from libp2p.abc import IHost, INetConn, INetStream, INetwork, INotifee
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_session_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.config import ConnectionConfig, RetryConfig
from libp2p.network.exceptions import SwarmException
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_ID
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from p2pnode.network import limits
from p2pnode.network.addresses import DialAddress, check_transport, parse_address
from p2pnode.network.conversations import CONVERSATION_PROTOCOL, Conversations
from p2pnode.network.counters import Counters
from p2pnode.network.discovery import Discovery, DiscoveryParts
from p2pnode.network.doorway import Doorway
from p2pnode.network.events import Events
from p2pnode.network.gossip import (
    Gate,
    Gossip,
    Router,
    account_of_id,
    clear_deliveries,
    make_gossip,
    make_router,
)
from p2pnode.network.guard import Guard
from p2pnode.network.introductions import (
    INTRODUCTION_PROTOCOL,
    IntroductionParts,
    Introductions,
)
from p2pnode.network.link import LinkParts
from p2pnode.network.link_filter import LinkShaper
from p2pnode.network.links import DIRECT_PROTOCOL, Links
from p2pnode.network.listening import own_transports, require_free
from p2pnode.network.network import Network, NetworkParts
from p2pnode.network.requests import REQUEST_PROTOCOL, Requests
from p2pnode.network.settings import NetworkSettings

_SPARE_CONNECTIONS = 56
"""Connections beyond the links: newcomers that only ask for addresses, and duplicates."""


class _Doorbell(INotifee):
    """Tells the links of connections; the library calls it for much more."""

    def __init__(self, links: Links, guard: Guard) -> None:
        self._links = links
        self._guard = guard

    async def connected(self, network: INetwork, conn: INetConn) -> None:
        await self._guard.contain("connected", self._links.connected, conn)

    async def disconnected(self, network: INetwork, conn: INetConn) -> None:
        await self._guard.contain("disconnected", self._links.disconnected, conn)

    async def opened_stream(self, network: INetwork, stream: INetStream) -> None:
        return

    async def closed_stream(self, network: INetwork, stream: INetStream) -> None:
        return

    async def listen(self, network: INetwork, multiaddr: Multiaddr) -> None:
        return

    async def listen_close(self, network: INetwork, multiaddr: Multiaddr) -> None:
        return


@asynccontextmanager
async def run_network(settings: NetworkSettings, seed: bytes, gate: Gate) -> AsyncIterator[Network]:
    """Run a network until the block ends; see `open_network`."""
    listen = [Multiaddr(check_transport(text)) for text in settings.listen]
    bootstrap = tuple(map(parse_address, settings.bootstrap))
    for text in settings.listen:
        await require_free(text)
    host = _make_host(settings, seed, listen)
    async with trio.open_nursery() as outer:
        tasks: trio.Nursery = await outer.start(_hold_tasks)
        core = _build(settings, seed, host, gate, tasks)
        async with (
            host.run(listen_addrs=listen),
            background_trio_service(core.router),
            background_trio_service(core.gossip),
        ):
            discovery = _discover(settings, seed, core, bootstrap)
            async with _joined(settings.topics, core, discovery, tasks) as network:
                yield network


@asynccontextmanager
async def _joined(
    topics: tuple[str, ...], core: "_Core", discovery: Discovery, tasks: trio.Nursery
) -> AsyncIterator[Network]:
    """Hear the topics and look for peers, and take it all apart at the end."""
    # It would dial whom it likes, without regard to links, back-off and duplicates.
    await core.swarm.auto_connector.stop()
    await core.gossip.wait_until_ready()
    for topic in topics:
        await core.gossip.subscribe(topic)
    tasks.start_soon(discovery.run)
    tasks.start_soon(clear_deliveries, core.gossip, core.router)
    try:
        yield _present(core, discovery)
    finally:
        with trio.CancelScope(shield=True):
            await _take_apart(core, discovery)


async def _hold_tasks(
    task_status: trio.TaskStatus[trio.Nursery],  # type: ignore[name-defined]  # old stubs
) -> None:
    # The tasks of this folder have a nursery of their own, inside the one around the library's
    # services: cancelling that one instead would swallow what the caller's block raises.
    async with trio.open_nursery() as tasks:
        task_status.started(tasks)
        await trio.sleep_forever()


@dataclass(frozen=True, slots=True)
class _Core:
    """Everything below discovery."""

    swarm: Swarm
    nursery: trio.Nursery
    counters: Counters
    events: Events
    shaper: LinkShaper
    links: Links
    router: Router
    gossip: Gossip
    requests: Requests
    conversations: Conversations
    own: bytes
    host: IHost


def _build(
    settings: NetworkSettings, seed: bytes, host: IHost, gate: Gate, nursery: trio.Nursery
) -> _Core:
    counters = Counters()
    guard = Guard(counters)
    events = Events(counters)
    shaper = LinkShaper(nursery, counters)
    swarm = cast(Swarm, host.get_network())
    Doorway(swarm, counters, guard).open()
    own = account_of_id(host.get_id())
    links = Links(
        LinkParts(host, swarm, own, nursery, counters, guard, events, shaper, settings.most_links)
    )
    # Before gossip registers itself, so that a link exists when its streams arrive.
    swarm.register_notifee(_Doorbell(links, guard))
    router = make_router(guard, counters)
    gossip = make_gossip(
        host,
        router,
        guard=guard,
        counters=counters,
        events=events,
        gate=gate,
        settle=links.settle,
        count_frame=links.count_frame,
        reject=links.reject,
        is_leaving=links.is_leaving,
    )
    links.gossip = gossip
    introductions = Introductions(IntroductionParts(seed, settings.topics, counters, guard, events))
    links.introduce = introductions.introduce
    host.set_stream_handler(INTRODUCTION_PROTOCOL, introductions.handle_stream)
    requests = Requests(host, links, counters, guard)
    host.set_stream_handler(DIRECT_PROTOCOL, links.handle_stream)
    host.set_stream_handler(REQUEST_PROTOCOL, requests.handle_stream)
    conversations = Conversations(host, links, requests, guard)
    host.set_stream_handler(CONVERSATION_PROTOCOL, conversations.handle_stream)
    return _Core(
        swarm=swarm,
        nursery=nursery,
        counters=counters,
        events=events,
        shaper=shaper,
        links=links,
        router=router,
        gossip=gossip,
        requests=requests,
        conversations=conversations,
        own=own,
        host=host,
    )


def _discover(
    settings: NetworkSettings, seed: bytes, core: _Core, bootstrap: tuple[DialAddress, ...]
) -> Discovery:
    listening = tuple(str(address) for address in core.host.get_transport_addrs())
    parts = DiscoveryParts(
        swarm=core.swarm,
        links=core.links,
        requests=core.requests,
        shaper=core.shaper,
        counters=core.counters,
        nursery=core.nursery,
        seed=seed,
        own=core.own,
        transports=own_transports(listening, settings.announce),
        target_links=settings.target_links,
        book_path=settings.address_book,
    )
    return Discovery(parts, bootstrap)


def _present(core: _Core, discovery: Discovery) -> Network:
    return Network(
        NetworkParts(
            account=core.own,
            addresses=discovery.own_addresses(),
            events=core.events.receiver,
            gossip=core.gossip,
            links=core.links,
            requests=core.requests,
            conversations=core.conversations,
            discovery=discovery,
            shaper=core.shaper,
            counters=core.counters,
        )
    )


async def _take_apart(core: _Core, discovery: Discovery) -> None:
    """Save the book and close every connection at once; one after another would take seconds."""
    # The library's listeners outlive its services: they would go on to accept, and hold the port.
    with trio.move_on_after(limits.CLOSE_SECONDS):
        for listener in tuple(core.swarm.listeners.values()):
            await listener.close()
    with trio.move_on_after(limits.CLOSE_SECONDS):
        await discovery.save()
    with trio.move_on_after(limits.CLOSE_SECONDS * 1.5):
        async with trio.open_nursery() as nursery:
            for connection in core.swarm.get_connections():
                nursery.start_soon(core.links.close_connection, connection)
    core.events.close()
    core.nursery.cancel_scope.cancel()


def _make_host(settings: NetworkSettings, seed: bytes, listen: list[Multiaddr]) -> IHost:
    key_pair = create_new_key_pair(seed)
    session_key = create_session_key_pair().private_key
    most = settings.most_links + _SPARE_CONNECTIONS
    host = new_host(
        key_pair=key_pair,
        listen_addrs=listen,
        # Without these two options the library would also accept plain text and older muxers.
        sec_opt={NOISE_ID: NoiseTransport(key_pair, noise_privkey=session_key)},
        muxer_opt={TProtocol(YAMUX_ID): Yamux},
        disable_identify_address_discovery=True,
        connection_config=ConnectionConfig(
            max_connections=most,
            high_watermark=most,
            low_watermark=0,
            min_connections=0,
            dial_timeout=limits.DIAL_SECONDS,
            inbound_upgrade_timeout=limits.DIAL_SECONDS,
            outbound_upgrade_timeout=limits.DIAL_SECONDS,
        ),
    )
    swarm = cast(Swarm, host.get_network())
    swarm.retry_config = RetryConfig(max_retries=0)
    swarm.dial_peer = _refuse_to_dial  # type: ignore[method-assign]  # see there
    return host


async def _refuse_to_dial(peer_id: ID) -> list[INetConn]:
    # The library would dial again by itself whenever a stream is wanted to a peer that was just
    # disconnected; only discovery dials here, by `dial_addr`.
    raise SwarmException(f"not connected to {peer_id}")
