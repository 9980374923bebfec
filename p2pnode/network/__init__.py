"""The real network: gossip, messages and requests between nodes over libp2p (TCP, noise, yamux).

It carries bytes and knows accounts; what the bytes mean is not its business.

    async with open_network(settings, seed, gate) as network:
        network.serve("block", answer_block)
        await network.publish("entries", payload)
        async for event in network.events:
            ...

Gossip is a hint and may be lost; what must arrive is asked for with `request`. The modules:
`host` puts everything together, `gossip` publishes and subscribes, `links` holds one link per peer
with its direct stream, `requests` asks and answers once, `conversations` many times on a stream,
`discovery` dials, `book` and `records` are
the known addresses, `guard` catches what must not spread, `link_filter` is for laboratories.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from p2pnode.network.addresses import account_of, parse_address, peer_id_of
from p2pnode.network.errors import (
    BadAddress,
    CannotListen,
    NetworkError,
    PayloadTooLarge,
    PeerUnreachable,
    RequestRefused,
    RequestTimedOut,
)
from p2pnode.network.link_rules import LinkFilter, LinkRule
from p2pnode.network.network import Conversation, Network, PeerView
from p2pnode.network.opening import Opening
from p2pnode.network.settings import NetworkSettings

__all__ = [
    "BadAddress",
    "CannotListen",
    "Conversation",
    "LinkFilter",
    "LinkRule",
    "Network",
    "NetworkError",
    "NetworkSettings",
    "PayloadTooLarge",
    "PeerUnreachable",
    "PeerView",
    "RequestRefused",
    "RequestTimedOut",
    "account_of",
    "open_network",
    "parse_address",
    "peer_id_of",
]


def open_network(
    settings: NetworkSettings, seed: bytes, gate: Callable[[str, bytes, bytes], bool]
) -> AbstractAsyncContextManager[Network]:
    """Open the network for the length of a block, and close it within two seconds after.

    Args:
        settings: Where to listen and whom to know first.
        seed: The 32-byte Ed25519 seed of the node's account.
        gate: Asked synchronously with topic, neighbour and payload of each gossip message; False
            drops the message and forwards it to nobody. It must be quick; when it raises, the
            message is dropped and counted.

    Raises:
        BadAddress: An address in the settings is none; on entering the block.
        CannotListen: An address cannot be listened on; on entering the block.
    """
    return Opening(settings, seed, gate)
