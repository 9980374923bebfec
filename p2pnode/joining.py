"""Which network this node belongs to: pinned at the first start, and never changed silently.

A node without a pinned network makes a development network of its own, or fetches genesis from
the peer that it was told to start from. Whoever insists with a hash or a file is never given
another network.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from p2pnode.genesis import (
    PRESETS,
    Founder,
    GenesisError,
    make_genesis,
    open_genesis,
    read_genesis,
    write_genesis,
)
from p2pnode.network import BadAddress, NetworkError, NetworkSettings, open_network, parse_address
from protocol import vrf
from protocol.encoding import encode
from protocol.messages import Genesis, network_of
from protocol.signing import account_of
from protocol.units import Digest

GENESIS_KIND: Final = "genesis"
FETCH_SECONDS: Final = 10.0
HASH_DIGITS_MIN: Final = 8

log = structlog.get_logger(__name__)


class JoinRefused(Exception):  # noqa: N818  the answer to a start, with what to do about it
    """The node cannot tell which network to join, or must not join the one that it found."""


class NobodyAnswered(JoinRefused):
    """No peer to start from could be asked."""


class AnotherNetwork(JoinRefused):
    """The network that was found is not the one that the operator named."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The network that this node belongs to."""

    genesis: Genesis
    network: Digest
    is_new: bool
    """Made by this start: a development network with this node as its only validator."""
    is_verified: bool
    """The operator named the network's hash or file, now or when it was pinned."""


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """How a start names its network."""

    pinned: Path
    """Where the data folder keeps genesis."""
    insisted: str
    """A hash, a prefix of one, or the path of a genesis file; may be empty."""
    bootstrap: tuple[str, ...]
    signing_seed: bytes
    vrf_seed: bytes


async def join(request: JoinRequest) -> Joined:
    """Finds the network of this node and pins it.

    Raises:
        JoinRefused: with what is wrong and what to do.
    """
    try:
        return await _join(request)
    except GenesisError as error:
        raise JoinRefused(str(error)) from error


async def _join(request: JoinRequest) -> Joined:
    _check_form(request.insisted)
    if request.pinned.exists():
        return _pinned(request)
    named = _named(request)
    if named is not None:
        genesis, is_new = named, False
    elif request.bootstrap:
        genesis, is_new = await _fetch(request), False
    elif request.insisted:
        raise JoinRefused(
            f"the network {request.insisted} is not known here: name a peer with --bootstrap, or "
            "give the path of its genesis file"
        )
    else:
        genesis, is_new = _development(request), True
    is_verified = _check(request.insisted, genesis) or is_new
    network = write_genesis(request.pinned, genesis)
    if is_verified:
        _verified_mark(request).touch()
    return Joined(genesis, network, is_new, is_verified)


def _pinned(request: JoinRequest) -> Joined:
    """Takes the network that the data folder belongs to."""
    genesis = read_genesis(request.pinned)
    if _check(request.insisted, genesis):
        _verified_mark(request).touch()
    return Joined(genesis, network_of(genesis), False, _verified_mark(request).exists())


def _named(request: JoinRequest) -> Genesis | None:
    """Reads the genesis file that the operator named, if it was one."""
    if request.insisted and Path(request.insisted).is_file():
        return read_genesis(Path(request.insisted))
    return None


def _verified_mark(request: JoinRequest) -> Path:
    return request.pinned.with_suffix(".verified")


def _check_form(insisted: str) -> None:
    """Refuses what can be neither a hash nor a file, before anybody is asked."""
    is_hash = len(insisted) >= HASH_DIGITS_MIN and not set(insisted.lower()) - _HASH_DIGITS
    if insisted and not is_hash and not Path(insisted).is_file():
        raise JoinRefused(
            f"--network takes at least {HASH_DIGITS_MIN} digits of a network's hash, or the "
            f"path of a genesis file; {insisted!r} is neither"
        )


_OTHER_FOLDER: Final = "Use another data folder (--data-dir) for another network"
_HASH_DIGITS: Final = frozenset("0123456789abcdef")


def _check(insisted: str, genesis: Genesis, advice: str = _OTHER_FOLDER) -> bool:
    """Whether the operator confirmed this network; refuses when another one was named."""
    if not insisted:
        return False
    found = network_of(genesis).hex()
    if Path(insisted).is_file():
        named = network_of(read_genesis(Path(insisted))).hex()
    else:
        named = insisted.lower()
    if not found.startswith(named):
        raise AnotherNetwork(
            f"wrong network: the one found is {found}, the one asked for is {named}. {advice}"
        )
    return True


def _development(request: JoinRequest) -> Genesis:
    """Makes a network whose only validator and faucet is this node."""
    account = account_of(request.signing_seed)
    founder = Founder(account, vrf.public_key(request.vrf_seed))
    return make_genesis("development", PRESETS["local"](), [founder], account)


async def _fetch(request: JoinRequest) -> Genesis:
    """Asks the peers to start from for their genesis, one after another."""
    for address in request.bootstrap:
        try:
            parse_address(address)
        except BadAddress as error:
            raise JoinRefused(f"bad address for --bootstrap: {error}") from error
    settings = NetworkSettings(listen=(), bootstrap=(), topics=(), address_book=None)
    refusals: dict[str, NetworkError | GenesisError | AnotherNetwork] = {}
    passing_seed = secrets.token_bytes(32)  # the real identity appears once it has a network
    async with open_network(settings, passing_seed, lambda *_: False) as network:
        for address in request.bootstrap:
            try:
                account = await network.connect(address)
                raw = await network.request(account, GENESIS_KIND, b"", FETCH_SECONDS)
                genesis = open_genesis(raw)
                _check(request.insisted, genesis, f"Name a peer of that one, not {address}")
                return genesis
            except (NetworkError, GenesisError, AnotherNetwork) as error:
                refusals[address] = error
    raise _refusal(refusals)


def _refusal(refusals: Mapping[str, NetworkError | GenesisError | AnotherNetwork]) -> JoinRefused:
    """Says the most telling of what the peers to start from answered."""
    for error in refusals.values():
        if isinstance(error, AnotherNetwork):
            return error
    told = "; ".join(f"{address}: {error}" for address, error in refusals.items())
    text = (
        "no peer given with --bootstrap gave this network's genesis; check that it runs and that "
        f"its address is the one it prints ({told})"
    )
    was_answered = any(isinstance(error, GenesisError) for error in refusals.values())
    return JoinRefused(text) if was_answered else NobodyAnswered(text)


def serve_genesis(genesis: Genesis) -> bytes:
    """Returns what a node answers to peers that ask for genesis."""
    return encode(genesis)
