"""Peer ids and addresses as text; pure, and checked here before the library ever sees them.

A peer id is the account's key behind a fixed prefix in base58, so both directions need no lookup.
"""

import ipaddress
import re
from dataclasses import dataclass

from p2pnode.network.errors import BadAddress
from p2pnode.network.limits import ADDRESS_LENGTH

_PREFIX = bytes.fromhex("002408011220")
"""Identity multihash of a protobuf that says: Ed25519, 32 bytes follow."""

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_KEY_BYTES = 32
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class DialAddress:
    """One way to reach one peer."""

    account: bytes
    transport: str
    """The part that says where, such as `/ip4/192.0.2.1/tcp/4001`."""

    def __str__(self) -> str:
        return f"{self.transport}/p2p/{peer_id_of(self.account)}"


def peer_id_of(account: bytes) -> str:
    """The text by which people and multiaddresses name an account.

    Raises:
        ValueError: The account has another length than a key.
    """
    if len(account) != _KEY_BYTES:
        raise ValueError(f"an account has {_KEY_BYTES} bytes, not {len(account)}")
    raw = _PREFIX + account
    number = int.from_bytes(raw, "big")
    digits = []
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    return _ALPHABET[0] * zeros + "".join(reversed(digits))


def account_of(peer_id: str) -> bytes:
    """The account that a peer id names.

    Raises:
        BadAddress: The text is no peer id, or one of another kind of key.
    """
    number = 0
    if not peer_id or len(peer_id) > 2 * _KEY_BYTES:
        raise BadAddress(f"not a peer id: {peer_id[:80]!r}")
    for character in peer_id:
        digit = _ALPHABET.find(character)
        if digit < 0:
            raise BadAddress(f"not a peer id: {peer_id!r}")
        number = number * len(_ALPHABET) + digit
    zeros = len(peer_id) - len(peer_id.lstrip(_ALPHABET[0]))
    raw = b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(raw) != len(_PREFIX) + _KEY_BYTES or not raw.startswith(_PREFIX):
        raise BadAddress(f"not the peer id of an Ed25519 key: {peer_id!r}")
    return raw[len(_PREFIX) :]


def parse_address(text: str) -> DialAddress:
    """Read an address that names a peer, such as `/ip4/192.0.2.1/tcp/4001/p2p/12D3Koo...`.

    Raises:
        BadAddress: Says what is wrong with it.
    """
    transport, separator, peer_id = text.rpartition("/p2p/")
    if not separator:
        raise BadAddress(f"an address must end in /p2p/<peer id>: {text[:ADDRESS_LENGTH]!r}")
    return DialAddress(account_of(peer_id), check_transport(transport, lowest_port=1))


def check_transport(text: str, lowest_port: int = 0) -> str:
    """Return the text when it says a place that TCP can listen on or dial.

    Raises:
        BadAddress: Says what is wrong with it.
    """
    if len(text) > ADDRESS_LENGTH:
        raise BadAddress("an address is too long")
    parts = text.split("/")
    if len(parts) != 5 or parts[0] or parts[3] != "tcp":
        raise BadAddress(f"expected /ip4|ip6|dns4|dns6|dns/<host>/tcp/<port>, not {text!r}")
    kind, host, port = parts[1], parts[2], parts[4]
    _check_host(kind, host)
    if not (port.isascii() and port.isdigit()) or not lowest_port <= int(port[:6]) <= _LAST_PORT:
        raise BadAddress(f"not a TCP port: {port!r}")
    return text


def prefix_of(transport: str) -> str:
    """The part of an address that one owner likely has: /16 of IPv4, /32 of IPv6, or the name."""
    kind, host = transport.split("/")[1:3]
    if kind == "ip4":
        return ".".join(host.split(".")[:2])
    if kind == "ip6":
        return ipaddress.IPv6Address(host).exploded[:9]
    return host


def _check_host(kind: str, host: str) -> None:
    try:
        if kind == "ip4":
            ipaddress.IPv4Address(host)
            return
        if kind == "ip6":
            ipaddress.IPv6Address(host)
            return
    except ValueError as error:
        raise BadAddress(f"not an {kind} address: {host!r}") from error
    if kind not in {"dns", "dns4", "dns6"} or not _HOST_NAME.fullmatch(host):
        raise BadAddress(f"cannot reach {kind!r} {host!r}")
