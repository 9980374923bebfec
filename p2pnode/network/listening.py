"""Where this node listens, and what it tells others about that."""

import socket

import trio

from p2pnode.network.errors import CannotListen


async def require_free(transport: str) -> None:
    """Make sure that no other process listens at an address.

    The library lets several processes share a port, and each would get some of the connections.

    Raises:
        CannotListen: Another process has the port, or the address is not this machine's.
    """
    host, _, port = transport.split("/")[2:]
    try:
        found = await trio.socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
        for family, _, _, _, place in found:
            _try_bind(family, place)
    except OSError as error:
        raise CannotListen(f"cannot listen on {transport}: {error.strerror or error}") from error


def _try_bind(family: int, place: tuple[object, ...]) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # A port that an earlier run has just left counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(place)


def own_transports(listening: tuple[str, ...], announce: tuple[str, ...]) -> tuple[str, ...]:
    """Where to tell others to dial: what the operator says, or what is listened on.

    An address of all interfaces is of no use to others, so it becomes the one that the system
    would use to reach the world.
    """
    if announce:
        return tuple(text.partition("/p2p/")[0] for text in announce)
    return tuple(dict.fromkeys(map(_specific, listening)))


def _specific(transport: str) -> str:
    if transport.startswith("/ip4/0.0.0.0/"):
        outward = _outward_host(socket.AF_INET, "192.0.2.1")
        return transport.replace("0.0.0.0", outward, 1)  # noqa: S104
    if transport.startswith("/ip6/::/"):
        return transport.replace("::", _outward_host(socket.AF_INET6, "2001:db8::1"), 1)
    return transport


def _outward_host(family: socket.AddressFamily, target: str) -> str:
    # Connecting a datagram socket sends nothing; it only asks the system for a route.
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))
        except OSError:
            return "127.0.0.1" if family == socket.AF_INET else "::1"
        return str(probe.getsockname()[0])
