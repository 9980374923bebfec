"""How fast a node that was killed serves again, and catches up with the others."""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from p2pnode.lab.processes import send_signal, stop
from p2pnode.lab.readiness import client_of, status_of, wait_until_ready
from p2pnode.lab.testnet import Member
from protocol.parameters import local
from tests.benchmarks.figures import Effort, Figure, at_most
from tests.benchmarks.long_store import lay_down
from tests.benchmarks.real_nodes import NODES, STOP_SECONDS, conditions, found_members, start

BLOCKS = 10_000
START_SECONDS = 180.0
DOWN_SECONDS = 5
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 60.0


def measure(effort: Effort) -> Iterator[Figure]:
    """Kill one of five nodes that have run for long, and start it again after a while."""
    runs = effort.of(5, 2)
    with tempfile.TemporaryDirectory(prefix="p2pnode-benchmark-") as name:
        folder = Path(name)
        lay_down(folder, NODES, BLOCKS // NODES)
        members = [start(one) for one in found_members(folder, NODES)]
        try:
            wait_until_ready(members, time.monotonic() + START_SECONDS)
            times = []
            for _ in range(runs):
                members[0], *found = _kill(members)
                times.append(found)
        finally:
            stop([one.process for one in members], STOP_SECONDS)
    stated = (
        f"{conditions(local())}; {BLOCKS} blocks of one transfer each and what came since; "
        f"kill -9, {DOWN_SECONDS} s down, the other nodes go on"
    )
    serving = tuple(one[0] for one in times)
    yield Figure("killed node serves again", "s", serving, stated, None, at_most(5))
    after = tuple(one[1] for one in times)
    yield Figure("then caught up with the others", "s", after, stated, None, at_most(10))


def _kill(members: list[Member]) -> tuple[Member, float, float]:
    """Kill the first node and start it again: seconds until it serves, and until it is level."""
    send_signal(members[0].process, signal.SIGKILL)
    stop([members[0].process], STOP_SECONDS)
    time.sleep(DOWN_SECONDS)
    begun = time.monotonic()
    again = start(members[0])
    try:
        _wait(lambda: _serves(again))
        serving = time.monotonic() - begun
        _wait(lambda: _final(again) >= _newest(members[1:]))
    except TimeoutError:
        stop([again.process], STOP_SECONDS)
        raise
    return again, serving, time.monotonic() - begun - serving


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the node did not come back")
        time.sleep(POLL_SECONDS)


def _serves(member: Member) -> bool:
    try:
        return httpx.get(f"http://{member.api}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _final(member: Member) -> int:
    status = status_of(member)
    return int(status["final_index"]) if status else -1


def _newest(others: list[Member]) -> int:
    """The newest commit of the others; asked after the node itself, so never to its advantage."""
    found = []
    for member in others:
        with client_of(member) as client:
            found.append(int(client.status()["final_index"]))
    return max(found)
