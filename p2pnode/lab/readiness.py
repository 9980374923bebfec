"""Waits for nodes of a local network, through the interface that any program uses."""

import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import httpx

from p2pnode.calls import ClientError, Endpoint, Record
from p2pnode.client import Client, find_endpoint
from p2pnode.lab.processes import Life
from p2pnode.lab.testnet import LabError, Member

POLL_SECONDS = 0.2
POLL_SECONDS_PER_NODE = 0.05
"""Asking costs the machine time that a larger network needs for itself."""
LINKS_WANTED = 4
"""A node dials for so many peers, so a larger network is never connected more than that."""
ANSWER_SECONDS = 5.0

Value = TypeVar("Value")


class NotReady(LabError):  # noqa: N818  named for what happened
    """Nodes did not come as far as they should have in time."""


def endpoint_of(member: Member) -> Endpoint:
    """Where a node serves programs.

    Raises:
        NodeUnreachable: It does not serve any yet.
    """
    # What the environment says is about the operator's own node.
    place = {key: value for key, value in os.environ.items() if not key.startswith("P2PNODE_")}
    return find_endpoint(None, member.data_dir, place)


@contextmanager
def client_of(member: Member) -> Iterator[Client]:
    """Talk to a node, as its operator would."""
    endpoint = endpoint_of(member)
    with Client(endpoint.address, endpoint.token) as client:
        yield client


def status_of(member: Member) -> Record | None:
    """What a node says of itself; None when it does not answer."""
    if member.life is not Life.RUNNING:
        return None
    try:
        with client_of(member) as client:
            return client.status()
    except ClientError:
        return None


def metrics_of(member: Member) -> dict[str, float] | None:
    """A node's counters by name, without the prefix that all have; None when it does not answer."""
    answer = _answer(member, "/metrics")
    return None if answer is None else read_metrics(answer.text)


def peers_of(member: Member) -> list[Record]:
    """The connected peers of a node; none when it does not answer."""
    answer = _answer(member, "/v1/peers")
    return [] if answer is None else list(answer.json())


def read_metrics(text: str) -> dict[str, float]:
    """Read what a node serves for Prometheus; names lose the prefix that all have."""
    lines = [line.split(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name.removeprefix("p2pnode_"): float(value) for name, value in lines}


def _answer(member: Member, path: str) -> httpx.Response | None:
    if member.life is not Life.RUNNING:
        return None
    try:
        endpoint = endpoint_of(member)
        headers = {"Authorization": f"Bearer {endpoint.token}"}
        answer = _http().get(f"http://{endpoint.address}{path}", headers=headers)
        answer.raise_for_status()
    except (ClientError, httpx.HTTPError):
        return None
    return answer


@functools.cache
def _http() -> httpx.Client:
    """One for all nodes and threads: to make one takes longer than what is asked by it."""
    return httpx.Client(trust_env=False, timeout=ANSWER_SECONDS)


def wait_for(
    members: Iterable[Member], holds: Callable[[Record], bool], what: str, deadline: float
) -> dict[int, Record]:
    """Wait until something holds for the status of every one of some nodes.

    Args:
        members: The nodes.
        holds: Asked with each node's status until it is true once.
        what: Completes the sentence "node N is not ...".
        deadline: In seconds of the monotonic clock.

    Returns:
        The status of each node with which it held.

    Raises:
        NotReady: A node ended, or the deadline passed.
    """
    waiting = {member.node: member for member in members}
    found: dict[int, Record] = {}
    while waiting:
        for node, member in list(waiting.items()):
            if member.life is Life.GONE:
                raise NotReady(f"node {node} ended: {last_words(member)}")
            status = status_of(member)
            if status is not None and holds(status):
                found[node] = status
                del waiting[node]
        if waiting and time.monotonic() > deadline:
            nodes = ", ".join(map(str, waiting))
            raise NotReady(f"node {nodes} is not {what} in time: see {member.log}")
        time.sleep(POLL_SECONDS + POLL_SECONDS_PER_NODE * len(waiting) if waiting else 0)
    return found


def wait_until_ready(members: Iterable[Member], deadline: float) -> None:
    """Wait until all nodes are connected, and commits have become final everywhere.

    Raises:
        NotReady: A node ended, or the deadline passed.
    """
    chosen = list(members)
    wanted = min(len(chosen) - 1, LINKS_WANTED)
    before = wait_for(
        chosen, lambda status: int(status["connected_peers"]) >= wanted, "connected", deadline
    )
    reached = max(int(status["final_index"]) for status in before.values())
    wait_for(chosen, lambda status: int(status["final_index"]) > reached, "finalising", deadline)


def last_words(member: Member) -> str:
    """The last line that a node wrote, for people."""
    lines = member.log.read_text(errors="replace").splitlines() if member.log.exists() else []
    return lines[-1][:500] if lines else f"it wrote nothing into {member.log}"
