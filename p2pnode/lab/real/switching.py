"""The program that carries packets between namespaces: `python -m p2pnode.lab.real.switching`.

One thread reads a tunnel device in each namespace and writes what arrives into another one. It has
to be quick and nothing else: a packet costs some ten microseconds. So it goes before the nodes,
which keep all cores busy, and says how late it is all the same.
"""

import argparse
import ctypes
import fcntl
import ipaddress
import json
import os
import random
import select
import signal
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from p2pnode.lab.processes import live_only_with, parse_process
from p2pnode.lab.real.namespaces import TUN_DEVICE, batch
from p2pnode.lab.real.queueing import PacketQueue
from p2pnode.network import LinkRule

DEVICE = "tun0"
LOOK_SECONDS = 0.02
"""How often the file of rules is looked at."""
WORD_SECONDS = 1.0
"""How often it says how punctual it is; that a rule has changed or bitten it says at once."""
PRECEDENCE = 1
"""The least of the real-time priorities: more than any process that has none."""
PACKETS_AT_ONCE = 64
PACKET_BYTES_MAX = 65_536
_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_IPV4_MIN_BYTES = 20


class Switch:
    """Carries packets until it is told to end."""

    def __init__(self, rules: Path, counts: Path, ports: Sequence[tuple[str, str]]) -> None:
        self._rules, self._counts = rules, counts
        self._queue = PacketQueue(random.Random())  # noqa: S311  faults need no secrecy
        self._numbers = {
            ipaddress.IPv4Address(address).packed: node for node, (_, address) in enumerate(ports)
        }
        self._devices = _open_devices(ports)
        self._nodes = {device: node for node, device in enumerate(self._devices)}
        self._poll = select.epoll()
        for device in self._devices:
            self._poll.register(device, select.EPOLLIN)
        self._number = 0
        self._stamp = (0, 0)
        self._next_look = 0.0
        self._told = ""
        self._next_word = 0.0

    def run(self) -> None:
        """Carry, for ever."""
        while True:
            wait = self._queue.seconds_until_next(time.monotonic_ns(), LOOK_SECONDS)
            for device, _ in self._poll.poll(wait):
                self._take(device)
            for target, packet in self._queue.arrived(time.monotonic_ns()):
                self._deliver(target, packet)
            if time.monotonic() >= self._next_look:
                self._next_look = time.monotonic() + LOOK_SECONDS
                self._look()

    def _take(self, device: int) -> None:
        source, now_ns = self._nodes[device], time.monotonic_ns()
        for _ in range(PACKETS_AT_ONCE):
            try:
                packet = os.read(device, PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            if len(packet) < _IPV4_MIN_BYTES or packet[0] >> 4 != 4:
                continue
            target = self._numbers.get(packet[16:20])
            if target is not None and self._queue.send((source, target), packet, now_ns):
                self._deliver(target, packet)

    def _deliver(self, target: int, packet: bytes) -> None:
        # A device whose queue is full loses the packet, as any other would.
        with suppress(BlockingIOError):
            os.write(self._devices[target], packet)

    def _look(self) -> None:
        found = self._rules.stat()
        stamp = (found.st_ino, found.st_mtime_ns)
        if stamp != self._stamp:
            self._stamp = stamp
            document = json.loads(self._rules.read_text())
            self._number = document["number"]
            rows = document["rules"]
            self._queue.rules = {(a, b): LinkRule(**rule) for a, b, rule in rows}
        # The number of the rules in effect; then, by source, packets that met a cut or were lost.
        self._tell({"number": self._number, "cut": self._queue.cut, "lost": self._queue.lost})

    def _tell(self, counts: dict[str, object]) -> None:
        told, now = json.dumps(counts), time.monotonic()
        if told == self._told and now < self._next_word:
            return
        self._told, self._next_word = told, now + WORD_SECONDS
        lateness = asdict(self._queue.lateness)
        temporary = self._counts.with_suffix(".new")
        temporary.write_text(json.dumps(counts | {"lateness": lateness}))
        temporary.replace(self._counts)


def main(argv: Sequence[str] | None = None) -> int:
    """Carry packets until a signal or the owner's end."""
    parser = argparse.ArgumentParser(prog="python -m p2pnode.lab.real.switching")
    parser.add_argument("--owner", type=parse_process, required=True, help="end when it ends")
    parser.add_argument("--rules", type=Path, required=True)
    parser.add_argument("--counts", type=Path, required=True)
    parser.add_argument("ports", metavar="NAMESPACE=ADDRESS", nargs="+")
    arguments = parser.parse_args(argv)
    live_only_with(arguments.owner)
    take_precedence()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ports = [tuple(port.split("=")) for port in arguments.ports]
    Switch(arguments.rules, arguments.counts, [(name, address) for name, address in ports]).run()
    return 0


def take_precedence() -> bool:
    """Run before all that takes its turn, as a switch of metal would; returns whether it may."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRECEDENCE))
    except OSError:
        return False
    return True


def enter(namespace: int) -> None:
    """Take this thread into another network namespace, named by an open file.

    Raises:
        OSError: It may not go there.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _open_devices(ports: Sequence[tuple[str, str]]) -> list[int]:
    """Make a tunnel device in each namespace; they vanish with this process."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    devices = []
    for name, address in ports:
        inside = os.open(f"/run/netns/{name}", os.O_RDONLY)
        enter(inside)
        os.close(inside)
        device = os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
        devices.append(device)
        enter(home)
        batch([f"addr add {address}/24 dev {DEVICE}", f"link set {DEVICE} up"], name)
    os.close(home)
    return devices


if __name__ == "__main__":
    sys.exit(main())
