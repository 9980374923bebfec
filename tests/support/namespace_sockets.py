"""Sockets that live in another network namespace, made by a thread that visits it."""

import os
import socket
import threading
import time

from p2pnode.lab.real.switching import enter


def socket_in(namespace: str, address: str) -> socket.socket:
    """A datagram socket of a namespace, on port 9000; a socket stays where it was made."""
    made: list[socket.socket] = []

    def visit() -> None:
        inside = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        enter(inside)
        os.close(inside)
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((address, 9_000))
        made.append(one)

    visitor = threading.Thread(target=visit)
    visitor.start()
    visitor.join(10)
    return made[0]


def seconds_to(source: socket.socket, target: socket.socket, wait: float = 0.5) -> float | None:
    """How long a datagram takes; None when it does not come."""
    target.settimeout(wait)
    begun = time.monotonic()
    source.sendto(b"hello", target.getsockname())
    try:
        target.recv(100)
    except TimeoutError:
        return None
    return time.monotonic() - begun
