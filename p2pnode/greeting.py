"""What two nodes tell each other first: which network each belongs to, and what version it speaks.

A version of the messages is a version of the rules, too. A peer with another one would refuse each
block and operation of this node, and this node each of its own; so they are no neighbours, and both
say so once, in words, instead of counting refusals for ever. Versions of the program with the same
rules greet alike.
"""

from typing import Final

import structlog
import trio

from p2pnode.driver import Driver
from p2pnode.network import Network, NetworkError
from protocol import events as ev
from protocol.messages import VERSION
from protocol.units import DIGEST_BYTES, AccountId, Digest

GREETING_KIND: Final = "network"
ANSWER_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 2.0
VERSION_BYTES: Final = 2
"""Of the number that follows the network's digest in an answer, the most significant first."""

log = structlog.get_logger(__name__)


def greeting_of(network: Digest, version: int = VERSION) -> bytes:
    """What a node of a network answers who asks for its greeting."""
    return network + version.to_bytes(VERSION_BYTES, "big")


def serve_greeting(network: Network, digest: Digest) -> None:
    """Answers peers that ask which network this is and what version it speaks."""
    greeting = greeting_of(digest)

    async def answer(account: bytes, payload: bytes) -> bytes:
        return greeting

    network.serve(GREETING_KIND, answer)


async def greet(
    network: Network, driver: Driver, account: bytes, digest: Digest, connection: trio.CancelScope
) -> None:
    """Makes a peer a neighbour once it has named the same network and version.

    Args:
        network: Whose peer it is.
        driver: Of the core that gets a neighbour.
        account: Of the peer.
        digest: The network of this node.
        connection: Cancelled when the peer leaves.
    """
    with connection:
        answer = await _asked(network, account)
        if answer == greeting_of(digest):
            await driver.put(ev.PeerJoined(AccountId(account)))
        else:
            _refuse(account, answer, digest)


def _refuse(account: bytes, answer: bytes, digest: Digest) -> None:
    """Says why a peer is no neighbour, and who has to do what about it."""
    named, told = answer[:DIGEST_BYTES], answer[DIGEST_BYTES:]
    if named != digest or len(told) != VERSION_BYTES:
        log.warning("peer_of_another_network", account=account.hex(), network=named.hex())
        return
    its = int.from_bytes(told, "big")
    advice = "its operator has to update it"
    if its > VERSION:
        advice = "update this node: it takes no part where most members speak the newer version"
    log.warning(
        "peer_of_another_version",
        account=account.hex(),
        its_version=its,
        own_version=VERSION,
        consequence="the rules differ: neither node accepts what the other one signs",
        advice=advice,
    )


async def _asked(network: Network, account: bytes) -> bytes:
    """Asks a peer for its greeting until it answers: it may be busy, or starting."""
    while True:
        try:
            return await network.request(account, GREETING_KIND, b"", ANSWER_SECONDS)
        except NetworkError as error:
            log.debug("greeting_unanswered", account=account.hex(), detail=str(error))
        await trio.sleep(PAUSE_SECONDS)
