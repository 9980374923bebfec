"""What two nodes tell each other first: which network each belongs to, and what version it speaks.

A version of the messages is a version of the rules, too. A peer with another one would refuse each
block and operation of this node, and this node each of its own; so they are no neighbours, both
say so in words at each connection, and their link ends once both have. Versions of the program with
the same rules greet alike.
"""

from enum import Enum
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
HEARING_SECONDS: Final = 10.0
"""How long a peer that cannot be a neighbour may take to ask for this node's greeting."""
READING_SECONDS: Final = 1.0
"""What it has for reading the answer, before the link ends."""
ASKED_MAX: Final = 256
"""Peers remembered that asked for the greeting: far more than have links at one time."""

log = structlog.get_logger(__name__)


class Parting(Enum):
    """Why a link to a peer ends that cannot be a neighbour."""

    NETWORK = "another_network"
    VERSION = "another_version"


def greeting_of(network: Digest, version: int = VERSION) -> bytes:
    """What a node of a network answers who asks for its greeting."""
    return network + version.to_bytes(VERSION_BYTES, "big")


class Greeter:
    """Greets the peers of one node, and answers their greetings from now on.

    Args:
        network: Whose peers they are.
        driver: Of the core that gets neighbours.
        digest: The network of this node.
    """

    def __init__(self, network: Network, driver: Driver, digest: Digest) -> None:
        self._network = network
        self._driver = driver
        self._digest = digest
        self._asked: dict[bytes, None] = {}
        """Who asked since it was last parted from, the oldest first."""
        network.serve(GREETING_KIND, self._answer)

    async def greet(self, account: bytes, connection: trio.CancelScope) -> None:
        """Makes a peer a neighbour once it has named the same network and version.

        The link to any other one ends when it has been told as much, or did not ask in time.

        Args:
            account: Of the peer.
            connection: Cancelled when the peer leaves.
        """
        with connection:
            answer = await _asked(self._network, account)
            if answer == greeting_of(self._digest):
                await self._driver.put(ev.PeerJoined(AccountId(account)))
                return
            reason = _refuse(account, answer, self._digest)
            self._network.shun(account)
            with trio.move_on_after(HEARING_SECONDS):
                while account not in self._asked:  # noqa: ASYNC110  it may have asked long ago
                    await trio.sleep(READING_SECONDS / 4)
            await trio.sleep(READING_SECONDS)
            self._asked.pop(account, None)
            await self._network.part(account, reason.value)

    async def _answer(self, account: bytes, payload: bytes) -> bytes:
        self._asked.pop(account, None)
        self._asked[account] = None
        if len(self._asked) > ASKED_MAX:
            del self._asked[next(iter(self._asked))]
        return greeting_of(self._digest)


def _refuse(account: bytes, answer: bytes, digest: Digest) -> Parting:
    """Says why a peer is no neighbour, and who has to do what about it."""
    named, told = answer[:DIGEST_BYTES], answer[DIGEST_BYTES:]
    if named != digest or len(told) not in (0, VERSION_BYTES):
        log.warning("peer_of_another_network", account=account.hex(), network=named.hex())
        return Parting.NETWORK
    its = int.from_bytes(told, "big")  # 0 where it names none, as programs before versions did
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
    return Parting.VERSION


async def _asked(network: Network, account: bytes) -> bytes:
    """Asks a peer for its greeting until it answers: it may be busy, or starting."""
    while True:
        try:
            return await network.request(account, GREETING_KIND, b"", ANSWER_SECONDS)
        except NetworkError as error:
            log.debug("greeting_unanswered", account=account.hex(), detail=str(error))
        await trio.sleep(PAUSE_SECONDS)
